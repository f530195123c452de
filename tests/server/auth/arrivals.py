"""Coming to a site by way of an OpenID Provider."""

from typing import Any

import requests

from adapter.fhir.jwks import fetch
from adapter.fhir.oidc import redeem
from adapter.store.repository import Repository
from server.auth.oidc import Provider

from .provider import SECRET, OpenIdProvider
from .site import Browser


def over(provider: OpenIdProvider, repository: Repository, *, secret: str | None = SECRET, **settings: Any) -> Provider:
    """The provider as a site over the repository asks it."""
    return Provider(provider.settings(**settings), (lambda: secret) if secret else None, fetch, redeem, lambda: repository.clock())


def back(browser: Browser, to: str = "/login") -> str:
    """The address with which the provider sends a browser back that went there to log in."""
    begun = browser.get(f"/login/oidc?to={to}")
    assert begun.status_code == 303, begun.text
    answer = browser.get(begun.headers["Location"])
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"]


def log_in(browser: Browser, to: str = "/login") -> requests.Response:
    return browser.get(back(browser, to))


def is_in(browser: Browser) -> bool:
    return "You are logged in as dana" in browser.get("/login").text


def refused(browser: Browser, answer: requests.Response, status: int = 401) -> str:
    """What somebody is told who is not let in."""
    assert (answer.status_code, is_in(browser)) == (status, False), answer.text
    return answer.text
