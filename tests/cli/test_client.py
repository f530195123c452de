"""`casebridge client`, and a server that asks who it is."""

import json
import re
import signal

import pytest
import requests

from adapter.clock import utc_now
from adapter.fhir.auth import auth_from
from adapter.fhir.client import FhirClient
from adapter.fhir.keys import Keys

from .test_serve import serving


@pytest.fixture
def jwks(tmp_path):
    """A file with the public keys of a client."""
    keys = Keys(tmp_path / "keys" / "north")
    keys.make("ES384", utc_now())
    path = tmp_path / "north.jwks.json"
    path.write_text(json.dumps(keys.jwks()))
    return path


def add(casebridge, jwks):
    return casebridge("client", "add", "north", "--role", "administrator", "--scope", "system/*.cruds", "--jwks", jwks)


def test_a_client_is_added_listed_rotated_and_disabled(casebridge, jwks):
    assert add(casebridge, jwks).code == 0
    [row] = casebridge("client", "list", "--json").json
    assert (row["id"], row["role_name"], row["scope"], row["disabled"]) == ("north", "administrator", "system/*.cruds", False)
    assert casebridge("client", "rotate", "north", "--jwks", jwks).code == 0
    assert casebridge("client", "disable", "north").code == 0
    assert "no" in casebridge("client", "list").out
    assert add(casebridge, jwks).code == 2


def test_an_insurer_is_told_the_group_of_its_members(casebridge, jwks):
    options = ("--organisation", "Organization/north", "--scope", "system/*.rs", "--jwks", jwks)
    ran = casebridge("client", "add", "north", "--role", "insurer-reader", *options)
    assert ran.code == 0
    assert re.search(r"Its members are Group/[0-9a-f-]{36}\.", ran.err)
    ran = casebridge("client", "add", "north-new", "--role", "new-payer", *options)
    assert (ran.code, "Group" in ran.err) == (0, False)


def test_a_client_may_have_a_rate_of_its_own(casebridge, jwks):
    assert (
        casebridge("client", "add", "north", "--role", "administrator", "--scope", "system/*.rs", "--jwks", jwks, "--rate", "2.5").code == 0
    )
    assert casebridge("client", "list", "--json").json[0]["rate"] == 2.5
    assert "500 requests a second" in casebridge("client", "rate", "north", "500").err
    assert casebridge("client", "list", "--json").json[0]["rate"] == 500
    assert "as all" in casebridge("client", "rate", "north", "0").err
    assert casebridge("client", "list", "--json").json[0]["rate"] is None
    for wrong in ("-1", "nan", "100000", "x"):
        assert casebridge("client", "rate", "north", wrong).code == 2
    assert casebridge("client", "rate", "nobody", "5").code == 2


def test_what_is_wrong_with_a_client_is_one_line(casebridge, jwks):
    ran = casebridge("client", "add", "north", "--role", "king", "--scope", "system/*.rs", "--jwks", jwks)
    assert (ran.code, len(ran.err.splitlines())) == (2, 1)
    assert casebridge("client", "disable", "nobody").code == 2


def test_a_server_asks_who_it_is_and_one_registered_at_the_command_line_is_let_in(casebridge, environment, jwks, tmp_path):
    add(casebridge, jwks)
    with serving(environment) as (run, port):
        base = f"http://127.0.0.1:{port}/fhir"
        assert requests.get(f"{base}/Patient", timeout=30).status_code == 401
        settings = {"kind": "smart-backend", "client_id": "north", "keys": "north", "keys_folder": str(tmp_path / "keys")}
        with FhirClient(base, auth=auth_from({**settings, "scope": "system/*.rs"}, base)) as client:
            assert client.count("Patient", {}) == 0
        casebridge("client", "disable", "north")
        run.send_signal(signal.SIGTERM)
        _, err = run.communicate(timeout=60)
    assert "token" not in err
    [key] = (tmp_path / "home" / "keys" / "issuer").glob("*.pem")
    assert key.stat().st_mode & 0o777 == 0o600


def test_beyond_this_machine_it_listens_only_where_tls_is_before_it(casebridge):
    ran = casebridge("serve", "--host", "0.0.0.0", "--port", "0")
    assert (ran.code, "CASEBRIDGE_URL" in ran.err) == (4, True)
