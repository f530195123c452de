"""The pages by which an app is started, and a person lets it act for them. https://hl7.org/fhir/smart-app-launch/app-launch.html"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import flask
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import InvalidRequestError, InvalidScopeError

from adapter.errors import Forbidden, Invalid, NotFound
from adapter.fhir.scopes import Scope, scopes
from adapter.store import search
from adapter.store.documents import Document
from adapter.store.repository import Repository
from server.audit.access import looks_for, tells
from server.auth.authorization import AuthorizationServer, Consent
from server.auth.grant import Grant
from server.auth.roles import role
from server.auth.sessions import Session, Sessions, check_form
from server.auth.tokens import hashed, new_secret
from server.auth.users import User, person_scope
from server.console.names import Names

_LAUNCH_LIVES = timedelta(minutes=5)
_OFFERED = "20"
_DOES = {"c": "add", "r": "read", "u": "change", "d": "delete", "s": "search"}
_WHOSE = {"patient": "of this patient", "user": "that you may see", "system": ""}
_SAYS = {
    "openid": "know who you are",
    "fhirUser": "know who you are in the record",
    "profile": "know who you are in the record",
    "offline_access": "go on after you have left, for up to 90 days",
    "online_access": "go on while you work, for up to 12 hours",
}


@dataclass(frozen=True)
class _Asked:
    """An authorization request that is in order."""

    grant: Any
    session: Session
    scope: str
    launch: Document
    """What the app was started for; empty for one that was started by itself."""

    @property
    def chooses(self) -> bool:
        """Whether the person has to say for which patient."""
        about = any(scope.context == "patient" for scope in scopes(self.scope))
        return "patient" not in self.launch and (about or "launch/patient" in self.scope.split())


Look = Callable[[Session], Repository]
"""The record as far as the person of a session sees it: whom they do not see, they do not find here either."""


class Apps:
    """Apps, and the people who use them."""

    def __init__(self, look: Look, server: AuthorizationServer, sessions: Sessions) -> None:
        self._look, self._server, self._sessions, self._state = look, server, sessions, server.tokens.state

    def offered(self, patient: str) -> Any:
        """The apps that can be started for a patient."""
        session = self._session()
        seen = self._read(session, patient)
        apps = [client for client in self._server.clients.all() if client.launch_url and not client.disabled]
        name = Names(seen).of(f"Patient/{patient}")
        _leads_to(*(app.launch_url or "" for app in apps))
        return flask.render_template("apps.html", session=session, apps=apps, patient=patient, patient_name=name)

    def start(self, patient: str) -> Any:
        """Start an app for a patient: the browser is sent there with what it needs to ask for the context."""
        session = self._session()
        check_form(session)
        self._read(session, patient)
        client = self._server.clients.find(flask.request.form.get("client", ""))
        if client is None or not client.launch_url:
            raise NotFound("There is no such app.")
        body = {"user": session.user.name, "client": client.id, "patient": patient, "expires": self._server.clock() + _LAUNCH_LIVES}
        encounter = flask.request.form.get("encounter")
        launch = new_secret()
        self._state.put("launches", hashed(launch), {**body, **({"encounter": encounter} if encounter else {})})
        address = flask.request.host_url.rstrip("/")
        asked = urlencode({"iss": f"{address}/fhir", "launch": launch})
        return flask.redirect(f"{client.launch_url}{'&' if urlsplit(client.launch_url).query else '?'}{asked}", 303)

    def ask(self) -> Any:
        """The page on which a person says yes or no."""
        return self._answered(self._page)

    def decide(self) -> Any:
        """The browser sent back to the app, with a code or a refusal; or the page again, with people to choose from."""
        return self._answered(self._decided)

    def _answered(self, answer: Any) -> Any:
        try:
            asked = self._asked()
        except OAuth2Error as error:
            if error.redirect_uri:
                return self._server.handle_error_response(None, error)
            # Nobody but the person at the browser is told: the address may not be the app's.
            raise Invalid(
                "The app asks in a way that is not in order: its id, its address or its request is not as it was registered."
            ) from None
        return answer(asked) if asked else flask.redirect(f"/login?to={quote(flask.request.full_path)}", 303)

    def _asked(self) -> _Asked | None:
        """The request; None where nobody is logged in yet. Raises OAuth2Error."""
        grant = self._server.get_consent_grant()
        values, session = flask.request.args, self._sessions.current()
        try:
            if not values.get("state"):
                raise InvalidRequestError("An app sends a state.")
            if values.get("aud", "").rstrip("/") != f"{flask.request.host_url}fhir":
                raise InvalidRequestError("aud is the address of the FHIR server.")
            if session is None:
                return None
            scope = person_scope(grant.request.client, session.user, values.get("scope", ""))
            if not scope:
                raise InvalidScopeError()
            return _Asked(grant, session, scope, self._launch(values.get("launch"), grant.request.client.id, session, scope))
        except OAuth2Error as error:
            error.redirect_uri, error.state = grant.redirect_uri, values.get("state")
            raise

    def _launch(self, launch: str | None, client: str, session: Session, scope: str) -> Document:
        if not launch:
            return {}
        held = self._state.get("launches", hashed(launch))
        fits = held and (held["client"], held["user"]) == (client, session.user.name) and held["expires"] > self._server.clock()
        if not fits or held is None or "launch" not in scope.split():
            raise InvalidRequestError("The launch is not known, or is over.")
        return {name: held[name] for name in ("patient", "encounter") if name in held}

    def _page(self, asked: _Asked, people: list[tuple[str, str]] | None = None) -> Any:
        client, patient = asked.grant.request.client, asked.launch.get("patient")
        if patient:
            tells([f"Patient/{patient}"])
        page = flask.render_template(
            "consent.html",
            session=asked.session,
            client=client,
            wishes=wishes(asked.scope),
            patient=Names(self._look(asked.session)).of(f"Patient/{patient}") if patient else None,
            chooses=asked.chooses,
            people=people,
            q=flask.request.form.get("q", ""),
        )
        _leads_to(asked.grant.redirect_uri)
        return page

    def _decided(self, asked: _Asked) -> Any:
        check_form(asked.session)
        form = flask.request.form
        if form.get("decision") == "find":
            return self._page(asked, self._people(asked, form.get("q", "")))
        if form.get("decision") != "allow":
            return self._server.create_authorization_response(grant_user=None, grant=asked.grant)
        patient = form.get("patient") if asked.chooses else asked.launch.get("patient")
        if asked.chooses and (not patient or self._look(asked.session).find("Patient", patient) is None):
            return self._page(asked, self._people(asked, form.get("q", "")))
        if (launch := flask.request.args.get("launch")) and not self._state.drop("launches", hashed(launch)):
            raise Forbidden("The app was started once, and has its answer.")
        consent = Consent(asked.session.user, asked.scope, patient, asked.launch.get("encounter"))
        answer = self._server.create_authorization_response(grant_user=consent, grant=asked.grant)
        # A code that was kept after all that the person gave was ended is not among it: nobody is told it.
        if self._state.get("sessions", asked.session.id) is None:
            raise Forbidden("Log in first.")
        return answer

    def _people(self, asked: _Asked, text: str) -> list[tuple[str, str]]:
        """Ids and names of patients whose name begins like this."""
        looks_for(flask.request.path, q=text)
        _check_reads(asked.session.user)
        if not text.strip():
            return []
        seen = self._look(asked.session)
        query = search.parse("Patient", [("name", text.strip()), ("_count", _OFFERED)], clock=seen.clock)
        seen.collection("Patient")
        rows, names = search.run(seen.database, query, seen.faces).rows, Names(seen)
        tells(f"Patient/{row.id}" for row in rows)
        return [(row.id, names.of(f"Patient/{row.id}")) for row in rows]

    def _read(self, session: Session, patient: str) -> Repository:
        """The record as the person sees it. Raises Forbidden, and NotFound where the patient is not in it."""
        _check_reads(session.user)
        seen = self._look(session)
        seen.read("Patient", patient)
        return seen

    def _session(self) -> Session:
        session = self._sessions.current()
        if session is None:
            raise Forbidden("Log in first.")
        return session


def _check_reads(user: User) -> None:
    """Raise Forbidden for a person whose role reads no patient's record."""
    Grant.of(role(user.role_name).ceiling).demand("Patient", "rs", whole=False)


def _leads_to(*urls: str) -> None:
    """Let the page's forms lead to these servers: a browser holds the answer to a form against the page's policy too."""
    flask.g.form_action = " ".join(dict.fromkeys("{0.scheme}://{0.netloc}".format(urlsplit(url)) for url in urls))


def wishes(scope: str) -> list[str]:
    """What these scopes allow, in words."""
    said = [_SAYS[word] for word in scope.split() if word in _SAYS]
    return [*map(_wish, scopes(scope)), *dict.fromkeys(said)]


def _wish(scope: Scope) -> str:
    does = [word for letter, word in _DOES.items() if letter in scope.actions]
    what = "everything" if scope.type == "*" else scope.type
    which = f" where {scope.query}" if scope.query else ""
    return f"{', '.join(does)} {what} {_WHOSE[scope.context]}{which}".strip()
