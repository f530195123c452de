"""What an OpenID Provider, or whoever stands between, might say to bring somebody in, and does not."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import uuid4

import pytest

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.repository import Repository
from server.auth.oidc import account

from .arrivals import back, log_in, over, refused
from .forgeries import FORGERIES, SAID, Forge, otherwise
from .provider import PERSON, OpenIdProvider, Signing, curve, provided
from .site import Browser, Site, opened


@pytest.fixture(scope="module")
def attacked(store: Any, issuer: Keys, signing: Signing, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, OpenIdProvider]]:
    """One site for all attacks, since none is to change anything there; and its provider, whom they have say what it should not."""
    repository = Repository(store[f"test_{uuid4().hex}"])
    with (
        provided(signing) as provider,
        opened(repository, tmp_path_factory.mktemp("attacked"), issuer, fetch, oidc=over(provider, repository)) as site,
    ):
        site.gate.registers.users.join("dana", account(provider.settings(), PERSON["sub"]))
        yield site, provider


@pytest.fixture
def liar(attacked: tuple[Site, OpenIdProvider]) -> Iterator[OpenIdProvider]:
    """The provider of the site that is attacked; honest again afterwards, and then dana comes in."""
    site, provider = attacked
    yield provider
    provider.says, provider.gives, provider.signs = {}, {}, None
    assert log_in(Browser(site.address)).status_code == 303


@pytest.fixture
def stranger(attacked: tuple[Site, OpenIdProvider]) -> Browser:
    """A browser of nobody who is logged in there."""
    return Browser(attacked[0].address)


@pytest.mark.parametrize(("says", "reason"), SAID)
def test_a_token_that_is_not_for_this_log_in_and_now_lets_nobody_in(liar, stranger, caplog, says, reason):
    liar.says = otherwise(says)
    assert "could not be trusted" in refused(stranger, log_in(stranger))
    assert f"reason={reason}" in caplog.text


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
def test_a_forged_token_lets_nobody_in(liar, stranger, signing, forge: Forge):
    liar.signs = lambda claims: forge(signing, claims)
    assert "could not be trusted" in refused(stranger, log_in(stranger))


def test_a_key_that_a_header_brings_or_names_is_not_looked_at(liar, stranger, signing):
    other = curve("first")
    liar.signs = lambda claims: other.sign(claims, jwk=other.public())
    refused(stranger, log_in(stranger))
    liar.signs = lambda claims: signing.sign(claims, jku="https://evil.example/keys")
    assert log_in(stranger).status_code == 303


@pytest.mark.parametrize(
    "gives", [{"id_token": None}, {"id_token": 5}, {"access_token": "another"}, {"access_token": None}, {"token_type": "mac"}]
)
def test_what_the_token_endpoint_gives_has_to_be_whole(liar, stranger, gives):
    liar.gives = gives
    refused(stranger, log_in(stranger))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "another"},
        {"state": ""},
        {"iss": "https://other.example"},
        {"code": ""},
        {"code": "another"},
        {"error": "access_denied", "code": ""},
    ],
)
def test_an_answer_that_is_not_the_providers_own_lets_nobody_in(liar, stranger, change):
    address, _, asked = back(stranger).partition("?")
    answer = dict(parse_qsl(asked)) | change
    refused(stranger, stranger.get(f"{address}?{urlencode(answer)}"))


@pytest.mark.parametrize("to", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_after_the_provider_nobody_is_sent_elsewhere(stranger, to):
    assert log_in(stranger, to).headers["Location"] == "/"
