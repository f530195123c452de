"""A server that asks everybody who they are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.repository import Repository

from .provider import Signing, rsa
from .site import App, Browser, Site, keys, opened
from .subscribing import World, subscribing


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """The keys of the server, made once: RSA of 3072 bits takes a second."""
    return keys(tmp_path_factory.mktemp("issuer") / "issuer", "RS384")


@pytest.fixture(scope="session")
def signing() -> Signing:
    """The key of the tests' OpenID Provider, made once."""
    return rsa("first")


@pytest.fixture
def site(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[Site]:
    with opened(repository, tmp_path, issuer, fetch) as made:
        yield made


@pytest.fixture
def app(site: Site) -> App:
    return App(site)


@pytest.fixture
def browser(site: Site) -> Browser:
    return Browser(site.address)


@pytest.fixture
def dana(browser: Browser) -> Browser:
    """Her browser, logged in."""
    assert browser.log_in().status_code == 303
    return browser


@pytest.fixture
def world(repository: Repository, tmp_path: Path, issuer: Keys) -> Iterator[World]:
    """Two insurers who subscribe, with their members."""
    with subscribing(repository, tmp_path, issuer) as made:
        yield made
