"""The pages by which a person logs in and out."""

from typing import Any

import flask

from adapter.errors import Throttled, Unauthenticated
from server.auth.sessions import Session, Sessions, check_form
from server.auth.throttle import Throttle
from server.auth.users import Users

# Many people may share an address; an account is one person's.
_FREE_OF_ADDRESS = 50
_LONGEST_NAME = 64


class Login:
    """Logs people in: counted tries, then the password."""

    def __init__(self, users: Users, sessions: Sessions, throttle: Throttle) -> None:
        self._users, self._sessions, self._throttle = users, sessions, throttle

    def show(self) -> Any:
        """The form; for somebody who is logged in, who they are and how to leave."""
        return self._page(self._sessions.current(), "")

    def enter(self) -> Any:
        """A session, and the page that was wanted; or the form again, which says no more than that it was not right."""
        form = flask.request.form
        name = form.get("name", "").strip().lower()[:_LONGEST_NAME]
        address = flask.request.environ.get("REMOTE_ADDR")
        try:
            if address:
                self._throttle.enter(f"address {address}", _FREE_OF_ADDRESS)
            self._throttle.enter(f"user {name}")
        except Throttled as error:
            return self._page(None, error.text), error.status, {"Retry-After": str(error.retry_after)}
        proof = self._users.proven(name, form.get("password", ""))
        if proof is None:
            return self._refused()
        self._throttle.passed(f"user {name}")
        if address:
            self._throttle.taken_back(f"address {address}")
        response = flask.redirect(_local(form.get("to", "/")), 303)
        session = self._sessions.begin(response, proof.user)  # type: ignore[arg-type]
        if not self._users.holds(proof):
            self._sessions.end(response, session)  # type: ignore[arg-type]
            return self._refused()
        return response

    def leave(self) -> Any:
        """The end of the session."""
        session = self._sessions.current()
        response = flask.redirect("/login", 303)
        if session:
            check_form(session)
            self._sessions.end(response, session)  # type: ignore[arg-type]
        return response

    def _refused(self) -> Any:
        return self._page(None, "The name or the password is not right."), Unauthenticated.status

    def _page(self, session: Session | None, problem: str) -> str:
        return flask.render_template("login.html", session=session, problem=problem, to=_local(flask.request.values.get("to", "/")))


def _local(to: str) -> str:
    """A path of this server, never another's address: browsers drop tabs and ends of line, so that `/<tab>/` is `//` to them."""
    return to if to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable() else "/"
