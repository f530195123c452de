"""The pages by which a person logs in and out: by a password that is kept here, or at the OpenID Provider (`login_oidc`)."""

from collections.abc import Callable
from typing import Any

import flask

from adapter.errors import CasebridgeError, Forbidden, Throttled, Unauthenticated
from server.auth.oidc import Provider
from server.auth.sessions import Session, Sessions, check_form
from server.auth.throttle import Throttle
from server.auth.users import User, Users

# Many people may share an address; an account is one person's.
_FREE_OF_ADDRESS = 50
_LONGEST_NAME = 64
_WRONG = "The name or the password is not right."


class Login:
    """Logs people in: counted tries, then the password, unless `passwords` is off; at `provider`, where there is one."""

    def __init__(
        self, users: Users, sessions: Sessions, throttle: Throttle, *, provider: Provider | None = None, passwords: bool = True
    ) -> None:
        self._users, self._sessions, self._throttle = users, sessions, throttle
        self._provider, self._passwords = provider, passwords

    def show(self) -> Any:
        """The form; for somebody who is logged in, who they are and how to leave."""
        return self._page(self._sessions.current())

    def enter(self) -> Any:
        """A session, and the page that was wanted; or the form again, which says no more than that it was not right."""
        if not self._passwords:
            raise Forbidden("Nobody logs in by a password here.")
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
            return self.refused(_WRONG)
        self._throttle.passed(f"user {name}")
        if address:
            self._throttle.taken_back(f"address {address}")
        return self.entered(proof.user, form.get("to", "/"), lambda: self._users.holds(proof)) or self.refused(_WRONG)

    def entered(self, user: User, to: str, holds: Callable[[], bool], *, elsewhere: bool = False) -> Any:
        """A session for a person who proved who they are, and the page that was wanted; None where what they proved does not hold any more.

        `elsewhere`: they proved it at the provider, and log out there too.
        """
        response = flask.redirect(local(to), 303)
        session = self._sessions.begin(response, user, elsewhere)  # type: ignore[arg-type]
        # A session that was begun meanwhile is not among those that a change of the person has ended.
        if holds():
            return response
        self._sessions.end(response, session)  # type: ignore[arg-type]
        return None

    def refused(self, problem: str, to: str | None = None, kind: type[CasebridgeError] = Unauthenticated) -> Any:
        """The form again, which says why; what was wanted is what the request says, unless `to` does."""
        return self._page(None, problem, to), kind.status

    def leave(self) -> Any:
        """The end of the session; where it was begun at the provider, a page that leads to the end of that one."""
        session = self._sessions.current()
        response: Any = flask.redirect("/login", 303)
        if session:
            check_form(session)
            # Before the provider is asked: whatever it says, who leaves has left.
            self._sessions.end(response, session)
            if session.elsewhere and self._provider and (address := self._provider.leaving(f"{flask.request.host_url}login")):
                # By the page and not by a redirect: forms may lead to this server only, and a redirect of theirs counts as such.
                response.status_code, response.data = 200, flask.render_template("left.html", provider=self._provider.name, address=address)
                response.headers.remove("Location")
                response.headers["Refresh"] = f"0; url={address}"
        return response

    def _page(self, session: Session | None, problem: str = "", to: str | None = None) -> str:
        wanted = local(flask.request.values.get("to", "/") if to is None else to)
        unknown = "unknown" in flask.request.args
        ways = {"provider": self._provider.name if self._provider else None, "passwords": self._passwords}
        return flask.render_template("login.html", session=session, problem=problem, to=wanted, unknown=unknown, **ways)


def local(to: str) -> str:
    """A path of this server, never another's address: browsers drop tabs and ends of line, so that `/<tab>/` is `//` to them."""
    return to if to.startswith("/") and not to.startswith("//") and "\\" not in to and to.isprintable() else "/"
