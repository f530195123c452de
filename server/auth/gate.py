"""The gate: everything that comes to the server passes it, and nobody comes in whom it does not know.

FHIR and the case API take a bearer token, the console a session. Open to all are what tells how to come in (metadata, the SMART
configuration, keys), the login page, probes and the style sheet.
"""

import logging
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import flask
from jinja2.ext import Extension

from adapter.errors import CasebridgeError, Forbidden, Invalid, Throttled
from adapter.fhir.keys import Keys
from adapter.fhir.resource import dumps
from adapter.store.repository import Repository
from adapter.store.seen import seen_by
from adapter.store.sight import Sight, sight_of
from server.api import SIGHT
from server.audit import access
from server.audit.account import Account
from server.auth import configuration
from server.auth.authorization import AuthorizationServer
from server.auth.consent import Apps
from server.auth.identity import Issuer
from server.auth.login import Login
from server.auth.login_oidc import BACK, OidcLogin
from server.auth.needs import ANY
from server.auth.oidc import Provider
from server.auth.principal import Principal
from server.auth.public_keys import Fetch
from server.auth.registers import Registers
from server.auth.sessions import FIELD, Session, Sessions, check_form
from server.auth.throttle import Throttle
from server.auth.viewers import Viewers
from server.console import visitor
from server.errors import TokenWanted
from server.limits import Limits, throttled
from server.reply import Reply

_OPEN = frozenset({"metadata"})
_CONFIGURATION = ".well-known/smart-configuration"
_ACTOR = "HTTP_CASEBRIDGE_ACTOR"
_NOBODY = Principal("", "auditor")
_AUTH = "auth"
_FORMS = frozenset({"auth.decide", "auth.start", "auth.enter", "auth.leave"})
_OPEN_PAGES = frozenset({"health", "ready", "metrics", "console.static"})
_START = "console.worklist-show"
# Of a form, in bytes: it is read before who sends it has shown who they are.
_LARGEST = 64 * 1024
# The page on which a visitor says who they are, where there is no gate.
_SAYING_WHO = "console.sign_in"
_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'{}; base-uri 'none'; frame-ancestors 'none'"

# Authlib writes tokens and codes to its log where that is set to DEBUG.
logging.getLogger("authlib").setLevel(logging.WARNING)


class Gate:
    """Who may come in, of one store. `keys` sign who a person is; `fetch` reads the key sets that clients publish.

    `site` is what the organisation that keeps the data goes by, as `Type/id`. `limited` is off only where what a token is granted is looked
    at by itself: then whose patients they are is not asked. People log in by `passwords`, or at the provider `oidc`, or as they like.
    Raises Invalid where they could by neither. `limits` say how often each may ask.
    """

    def __init__(
        self,
        repository: Repository,
        keys: Keys,
        fetch: Fetch,
        *,
        limited: bool = True,
        site: frozenset[str] = frozenset(),
        oidc: Provider | None = None,
        passwords: bool = True,
        limits: Limits | None = None,
    ) -> None:
        if not passwords and oidc is None:
            raise Invalid("Nobody could log in: with CASEBRIDGE_PASSWORDS=off an OpenID Provider has to be named (CASEBRIDGE_OIDC_ISSUER).")
        clock = repository.clock
        self._repository, self._limited, self._site = repository, limited, site
        self.account = Account(repository)
        self.limits = limits or Limits()
        self.registers = Registers.of(repository)
        tokens, users = self.registers.tokens, self.registers.users
        self._viewers = Viewers(repository)
        self._sessions = Sessions(tokens, users, clock)
        self._issuer = Issuer(keys, clock)
        self._server = AuthorizationServer(self.registers, self._issuer, fetch, clock)
        self._login = Login(users, self._sessions, Throttle(tokens.state, clock), provider=oidc, passwords=passwords)
        self._oidc = OidcLogin(oidc, self._login, users, tokens.state, clock) if oidc else None
        self._apps = Apps(self._seen, self._server, self._sessions)

    def principal(self, environ: dict[str, Any], path: str = "") -> Principal:
        """Who asks, by the request's token. `path` is that below /fhir. Raises Throttled, and TokenWanted without a good one."""
        if path in _OPEN or environ["REQUEST_METHOD"] == "OPTIONS":
            self.limits.enter(self.limits.address(environ))
            return _NOBODY
        kind, _, secret = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        found = self.registers.tokens.find(secret.strip()) if kind.lower() == "bearer" and secret else None
        if found is None:
            self.limits.enter(self.limits.address(environ))
            raise TokenWanted(
                "This needs an access token that is good: .well-known/smart-configuration says where they are given.", sent=bool(secret)
            )
        access.known(found.principal)
        self.limits.enter(self.limits.caller(found.principal.name, found.principal.rate))
        return found.principal

    def sight(self, principal: Principal, *, at_work: bool = False) -> Sight | None:
        """What they see of the record by FHIR, or `at_work` on cases; None for all of it, as far as it is granted. Raises Forbidden."""
        if not self._limited or principal is _NOBODY:
            return None
        viewer = self._viewers.of(principal, at_work=at_work)
        return access.seen(sight_of(self._repository.database, viewer, self._repository.clock(), self._site))

    def _seen(self, session: Session) -> Repository:
        """The record as the person of a session sees it. Raises Forbidden."""
        access.known(session.principal, flask.request.endpoint)
        sight = self.sight(session.principal)
        return seen_by(self._repository, sight) if sight else self._repository

    def configuration(self, path: str, address: str) -> Reply | None:
        """The SMART configuration, where that is what is asked for below /fhir."""
        if path != _CONFIGURATION:
            return None
        return Reply(200, dumps(configuration.smart(address)).encode(), [("Content-Type", "application/json")])

    def before_api(self, api: Callable[..., Iterable[bytes]], prefix: str) -> Callable[..., Iterable[bytes]]:
        """The WSGI application, behind the gate as far as it is below `prefix`: for people who work on cases, by apps that may do all."""

        def guarded(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if path == prefix or path.startswith(f"{prefix}/"):
                worker = self._worker(environ)
                environ = {**environ, _ACTOR: worker.fhir_user, SIGHT: self.sight(worker, at_work=True)}
            return api(environ, start)

        return guarded

    def _worker(self, environ: dict[str, Any]) -> Principal:
        """The person who works by the case API. Raises Forbidden."""
        principal = self.principal(environ)
        if not principal.role.console or principal.fhir_user is None:
            raise Forbidden("The case API is for case managers and supervisors: a token for one of them is needed.")
        principal.grant.demand(ANY, "rs" if environ["REQUEST_METHOD"] in ("GET", "HEAD", "OPTIONS") else "cruds")
        if environ.get(_ACTOR, principal.fhir_user) != principal.fhir_user:
            raise Forbidden("The token is another person's than Casebridge-Actor names.")
        return principal

    def install(self, app: flask.Flask) -> None:
        """Give the application the endpoints and pages of the authorization server, and its other pages a session."""
        auth = flask.Blueprint(_AUTH, __name__, template_folder="templates")
        endpoint = self._server.create_endpoint_response
        pages: tuple[tuple[str, str, str, Callable[..., Any]], ...] = (
            ("POST", "/oauth/token", "token", self._server.create_token_response),
            ("POST", "/oauth/revoke", "revoke", partial(endpoint, "revocation")),
            ("POST", "/oauth/introspect", "introspect", partial(endpoint, "introspection")),
            ("GET", "/oauth/jwks", "jwks", self._issuer.jwks),
            ("GET", "/.well-known/openid-configuration", "openid", lambda: configuration.openid(flask.request.host_url.rstrip("/"))),
            ("GET", "/oauth/authorize", "ask", self._apps.ask),
            ("POST", "/oauth/authorize", "decide", self._apps.decide),
            ("GET", "/apps/<patient>", "apps", self._apps.offered),
            ("POST", "/apps/<patient>", "start", self._apps.start),
            ("GET", "/login", "login", self._login.show),
            ("POST", "/login", "enter", self._login.enter),
            ("POST", "/logout", "leave", self._login.leave),
            *([("GET", "/login/oidc", "oidc", self._oidc.start), ("GET", BACK, "oidc_back", self._oidc.back)] if self._oidc else []),
        )
        for method, rule, name, page in pages:
            auth.add_url_rule(rule, name, page, methods=[method])
        auth.before_request(_small_form)
        auth.before_request(_own_form)
        auth.after_request(_closed)
        auth.register_error_handler(CasebridgeError, _refused)
        auth.register_error_handler(Throttled, throttled)
        app.jinja_env.add_extension(_FormTokens)
        app.jinja_env.globals["form_token"] = self._form_token
        app.extensions[visitor.GATE] = self
        app.before_request(self._before_page)
        app.register_blueprint(auth)

    def _before_page(self) -> Any:
        """Let nobody see a page of the console, or any that is not open to all, who is not logged in as somebody who works there."""
        endpoint = flask.request.endpoint
        if endpoint in _OPEN_PAGES:
            return None
        session = self._sessions.current()
        known = self.limits.caller(session.principal.name, None) if session else self.limits.address(flask.request.environ)
        self.limits.enter(known)
        if endpoint is None or flask.request.blueprint == _AUTH:
            return None
        if session is None or endpoint.startswith(_SAYING_WHO):
            looking = flask.request.method == "GET"
            back = flask.request.full_path.rstrip("?") if looking and not session else None
            # Who is logged in and asked who they are is nobody whom the record has.
            unknown = "yes" if looking and session else None
            return flask.redirect(flask.url_for(f"{_AUTH}.login", to=back, unknown=unknown), 303)
        flask.g.principal = session.principal
        access.known(session.principal, endpoint)
        role = flask.g.principal.role
        if endpoint == _START and role.pages:
            return flask.redirect(flask.url_for(role.pages[0]), 303)
        if not role.console and endpoint not in role.pages:
            raise Forbidden("The console is for case managers and supervisors.")
        if flask.request.method == "POST":
            check_form(session)
        flask.g.sight = self.sight(flask.g.principal, at_work=True)
        return None

    def _form_token(self) -> str:
        session = self._sessions.current()
        return session.csrf if session else ""


def _small_form() -> None:
    """Take no large form."""
    flask.request.max_content_length = _LARGEST


def _own_form() -> None:
    """Take what a person's browser sends from pages of this server alone; programs ask the other endpoints, from anywhere."""
    if flask.request.method == "POST" and flask.request.endpoint in _FORMS:
        visitor.check_origin()


def _refused(error: CasebridgeError) -> Any:
    return flask.render_template("refused.html", problem=error.text), error.status


def _closed(response: flask.Response) -> flask.Response:
    response.headers["Content-Security-Policy"] = _POLICY.format(f" {flask.g.form_action}" if "form_action" in flask.g else "")
    response.headers["Cache-Control"] = "no-store"
    # With no-referrer browsers tell no origin either, and forms would be refused.
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


class _FormTokens(Extension):
    """Puts the session's token into every form that is sent by POST, so that no page can forget it."""

    _opening = "<form "

    def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 - Jinja's arguments
        parts = source.split(self._opening)
        return self._opening.join([parts[0], *map(_with_token, parts[1:])])


def _with_token(form: str) -> str:
    """A form's text from its first attribute on, with a hidden field where it is sent by POST."""
    head, end, rest = form.partition(">")
    field = f'<input type="hidden" name="{FIELD}" value="{{{{ form_token() }}}}">' if 'method="post"' in head else ""
    return f"{head}{end}{field}{rest}"
