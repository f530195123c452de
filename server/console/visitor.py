"""Who is at the console, and whether a form was sent by one of its own pages.

Behind the gate (server/auth) it is the person who logged in. Without it whoever reaches the server says who they are, and what they do is
attributed to that person; then `casebridge serve` listens on loopback only.
"""

import flask

from adapter.casework.desk import Actor, Desk, actor
from adapter.clock import Clock
from adapter.errors import Forbidden, Invalid
from adapter.store.repository import Repository

COOKIE = "casebridge_actor"
GATE = "gate"
"""The extension of the application that is the gate, where there is one."""
_YEAR = 365 * 24 * 3600


class NobodyYet(Invalid):
    """The page needs to know who is at the console."""


def named() -> str:
    """The reference of who is at the console: of the person who logged in, or without logins as they said."""
    if gated():
        principal = flask.g.get("principal")
        return (principal.fhir_user or "") if principal else ""
    return flask.request.cookies.get(COOKIE, "")


def gated() -> bool:
    """Whether people log in here, so that nobody is believed who they say they are."""
    return GATE in flask.current_app.extensions


def pages() -> tuple[str, ...] | None:
    """The pages that the visitor sees, as endpoints; None where they work on cases here, and see all of them."""
    principal = flask.g.get("principal")
    return None if principal is None or principal.role.console else principal.role.pages


def visitor(repository: Repository) -> Actor:
    """Who is at the console. Raises NobodyYet where that was not said, or is not true any more."""
    try:
        return actor(repository, named())
    except Invalid:
        raise NobodyYet("Say first who you are.") from None


def desk(repository: Repository, clock: Clock) -> Desk:
    """The visitor's desk. Raises NobodyYet."""
    return Desk(repository, visitor(repository), clock)


def remember(response: flask.Response, reference: str) -> None:
    """Keep who is at the console, for pages of this server alone."""
    response.set_cookie(COOKIE, reference, max_age=_YEAR, httponly=True, samesite="Strict", secure=flask.request.is_secure)


def check_origin() -> None:
    """Raise Forbidden where a form was not sent by a page of this server: browsers tell the origin of every POST."""
    # https://www.rfc-editor.org/rfc/rfc6454#section-6.2: scheme, host and port, and nothing behind them.
    if flask.request.headers.get("Origin", "").partition("://")[2] != flask.request.host:
        raise Forbidden("This form was not sent by a page of this console.")
