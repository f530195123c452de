"""Who is logged in at the pages of this server: a cookie that a browser keeps for this server alone."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import flask

from adapter.clock import Clock
from adapter.errors import Forbidden
from server.audit.access import known
from server.auth.principal import Principal
from server.auth.tokens import Tokens, hashed, new_secret
from server.auth.users import User, Users

FIELD = "csrf"
"""The field of a form that says that a page of this session made it."""
CONSOLE = "console"
"""What a person comes by who is logged in."""
_LONGEST, _IDLE, _TOUCHED = timedelta(hours=12), timedelta(hours=1), timedelta(minutes=5)


@dataclass(frozen=True)
class Session:
    """A person who is logged in, and what their forms must bring."""

    id: str
    user: User
    csrf: str = field(repr=False)
    elsewhere: bool = False
    """Whether they proved at the OpenID Provider who they are."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        user = self.user
        return Principal(CONSOLE, user.role_name, user=user.name, organisation=user.organisation, fhir_user=user.fhir_user)


class Sessions:
    """The sessions of one store. They end an hour after the last page, and twelve hours after the password."""

    def __init__(self, tokens: Tokens, users: Users, clock: Clock) -> None:
        self._tokens, self._state, self._users, self._clock = tokens, tokens.state, users, clock

    def current(self) -> Session | None:
        """That of the request, if its person may still log in; looked up once for a page, which may have many forms."""
        if "session" not in flask.g:
            flask.g.session = self._found()
        found: Session | None = flask.g.session
        return found

    def _found(self) -> Session | None:
        secret = flask.request.cookies.get(cookie())
        held = self._state.get("sessions", hashed(secret)) if secret else None
        now = self._clock()
        if secret is None or held is None or held["expires"] <= now:
            return None
        user = self._users.find(held["user"])
        if user is None:
            return None
        if now - held["seen"] >= _TOUCHED:
            self._state.swap("sessions", hashed(secret), {"seen": held["seen"]}, {**held, **_times(now, held["began"])})
        return Session(hashed(secret), user, held["csrf"], held.get("elsewhere", False))

    def begin(self, response: flask.Response, user: User, elsewhere: bool = False) -> Session:
        """Another session, with another cookie: what a browser had before is not taken over."""
        self._tokens.sweep()
        secret, now = new_secret(), self._clock()
        made = Session(hashed(secret), user, new_secret(), elsewhere)
        known(made.principal)
        body = {"user": user.name, "csrf": made.csrf, "elsewhere": elsewhere, "began": now, **_times(now, now)}
        self._state.put("sessions", made.id, body)
        # Lax, not Strict: an app that sends the browser here to ask for consent would find nobody logged in.
        response.set_cookie(cookie(), secret, httponly=True, samesite="Lax", secure=flask.request.is_secure, path="/")
        return made

    def end(self, response: flask.Response, session: Session) -> None:
        """Log out."""
        known(session.principal)
        self._state.drop("sessions", session.id)
        response.delete_cookie(cookie(), path="/")


def check_form(session: Session) -> None:
    """Raise Forbidden for a form that no page of this session made."""
    if not secrets.compare_digest(flask.request.form.get(FIELD, "").encode(), session.csrf.encode()):
        raise Forbidden("This form was not made by a page of your session: load the page again.")


def _times(now: datetime, began: datetime) -> dict[str, datetime]:
    return {"seen": now, "expires": min(now + _IDLE, began + _LONGEST)}


def cookie(name: str = "casebridge") -> str:
    """The name of a cookie of this server's own."""
    # The prefix makes a browser refuse it from anywhere but this very host over TLS (RFC 6265bis §4.1.3.2).
    return f"__Host-{name}" if flask.request.is_secure else name
