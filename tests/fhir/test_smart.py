"""What a server says of its token endpoint, as it should not; how it goes with a real one is in tests/sync/remotes."""

import json
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.errors import RemoteFatal, RemoteTemporary
from adapter.fhir.scopes import OAUTH_URIS
from adapter.fhir.smart import Endpoint, discover
from adapter.fhir.tls import Transport
from tests.fhir.remote import BASE, Remote, add

TOKEN = "https://auth.example/token"
WELL_KNOWN = ".well-known/smart-configuration"


def declared(extension: Any) -> dict[str, Any]:
    return {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "security": {"extension": extension}}]}


def found(remote: Remote, configuration: Any, statement: Any = None) -> Endpoint:
    add(remote, "GET", WELL_KNOWN, json.dumps(configuration), content_type="application/json")
    if statement is not None:
        add(remote, "GET", "metadata", json.dumps(statement))
    return discover(f"{BASE}/", Transport(), utc_now)


@pytest.mark.parametrize(
    ("algorithms", "usable"),
    [(["RS384", "ES384", "RS256"], {"RS384", "ES384"}), (["RS384"], {"RS384"}), (["RS256"], set()), ("RS384", set()), ([{}], set())],
)
def test_the_smart_configuration_says_which_signatures_it_takes(remote: Remote, algorithms: Any, usable: set[str]) -> None:
    configuration = {"token_endpoint": TOKEN, "token_endpoint_auth_signing_alg_values_supported": algorithms}
    assert found(remote, configuration) == Endpoint(TOKEN, frozenset(usable))


@pytest.mark.parametrize("configuration", [{}, {"token_endpoint": ["x"]}, {"token_endpoint": "/token"}, []])
def test_a_configuration_without_an_endpoint_is_followed_by_the_capability_statement(remote: Remote, configuration: Any) -> None:
    statement = declared([{"url": OAUTH_URIS, "extension": [{"url": "authorize"}, {"url": "token", "valueUri": TOKEN}]}])
    assert found(remote, configuration, statement) == Endpoint(TOKEN)


@pytest.mark.parametrize(
    "statement",
    [
        {"resourceType": "CapabilityStatement"},
        {"resourceType": "CapabilityStatement", "rest": "server"},
        {"resourceType": "CapabilityStatement", "rest": [{"mode": "server", "security": "none"}]},
        declared([{"url": OAUTH_URIS, "extension": ["token"]}]),
        declared([{"url": OAUTH_URIS, "extension": [{"url": "token", "valueUri": 7}]}]),
        declared([{"url": OAUTH_URIS, "extension": [{"url": "token", "valueUri": "urn:token"}]}]),
    ],
)
def test_a_server_that_names_no_endpoint_says_what_to_set(remote: Remote, statement: Any) -> None:
    with pytest.raises(RemoteFatal, match=r"https://ehr\.example/fhir/? does not say where it gives tokens: set auth\.token_url"):
        found(remote, {}, statement)


def test_a_server_that_is_down_is_temporary_and_not_without_an_endpoint(remote: Remote) -> None:
    add(remote, "GET", WELL_KNOWN, "", 503)
    with pytest.raises(RemoteTemporary):
        discover(BASE, Transport(), utc_now)
