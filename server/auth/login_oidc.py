"""Logging in at the OpenID Provider: a browser is sent there, and what it brings back is taken once, and from that browser alone.

A cookie holds the one secret of a log-in that is under way. State, nonce and the verifier of PKCE follow from it, so that neither who reads
the store nor who makes a person follow a link has any of them.
"""

import hashlib
import logging
import secrets
from datetime import timedelta
from typing import Any

import flask

from adapter.clock import Clock
from adapter.errors import RemoteError, RemoteTemporary
from adapter.log import event
from adapter.store.state import State
from server.auth.login import Login, local
from server.auth.oidc import Provider
from server.auth.sessions import cookie
from server.auth.tokens import hashed, new_secret
from server.auth.users import Users
from server.errors import ProofRefused

BACK = "/login/oidc/back"
"""Where the provider sends browsers back to: what is to be registered there, after this server's address."""
_COOKIE = "casebridge-oidc"
_LIVES = timedelta(minutes=10)
_NOT_TAKEN = "What came back from there could not be trusted, so you are not logged in. Try again."
_SAID = {
    "account": "Nobody is registered here with that account: ask an administrator of this server.",
    "denied": "You were not logged in there.",
    "email_verified": "Your e-mail address has not been verified there: ask whoever keeps your account.",
    "state": "This log-in was begun in another browser, or too long ago, or is over. Try again.",
}
_AWAY = "The log-in there cannot be used just now. Try again in a minute."


class OidcLogin:
    """Logs in people who are registered here with the account that they have at the provider."""

    def __init__(self, provider: Provider, login: Login, users: Users, state: State, clock: Clock) -> None:
        self._provider, self._login, self._users, self._state, self._clock = provider, login, users, state, clock

    def start(self) -> Any:
        """The browser sent to the provider."""
        secret, to = new_secret(), local(flask.request.args.get("to", "/"))
        try:
            address = self._provider.address(_back(), **_derived(secret))
        except (RemoteError, ProofRefused) as error:
            return self._refused(error, to)
        self._state.put("sign_ins", hashed(secret), {"to": to, "expires": self._clock() + _LIVES})
        response = flask.redirect(address, 303)
        # Lax: the provider sends the browser back from another site.
        response.set_cookie(cookie(_COOKIE), secret, httponly=True, samesite="Lax", secure=flask.request.is_secure, max_age=_LIVES)
        return response

    def back(self) -> Any:
        """A session, and the page that was wanted; or the form again, which says why not."""
        answer, secret = flask.request.args.to_dict(), flask.request.cookies.get(cookie(_COOKIE), "")
        derived, id = _derived(secret), hashed(secret)
        own = secrets.compare_digest(answer.get("state", "").encode(), derived.pop("state").encode())
        held = self._state.get("sign_ins", id) if own else None
        if held is None or held["expires"] <= self._clock() or not self._state.drop("sign_ins", id):
            return self._refused(ProofRefused("state"), "/")
        try:
            account = self._provider.account(answer, _back(), **derived)
        except (RemoteError, ProofRefused) as error:
            return self._refused(error, held["to"])
        user = self._users.with_account(account)
        entered = user and self._login.entered(user, held["to"], lambda: self._users.with_account(account) == user, elsewhere=True)
        return entered or self._refused(ProofRefused("account"), held["to"])

    def _refused(self, error: RemoteError | ProofRefused, to: str) -> Any:
        reason = error.reason if isinstance(error, ProofRefused) else type(error).__name__
        event("login.refused", level=logging.WARNING, by="oidc", reason=reason)
        if isinstance(error, RemoteTemporary):
            return self._login.refused(_AWAY, to, RemoteTemporary)
        return self._login.refused(_SAID.get(reason, _NOT_TAKEN), to)


def _back() -> str:
    return flask.request.host_url.rstrip("/") + BACK


def _derived(secret: str) -> dict[str, str]:
    """State, nonce and verifier of a log-in: none of them tells another, nor the secret."""
    return {name: hashlib.sha256(f"{name} {secret}".encode()).hexdigest() for name in ("state", "nonce", "verifier")}
