"""A hospital that asks who we are: this project's own FHIR server behind a gate that takes only tokens of an authorisation server.

The authorisation server is Authlib's, as SMART Backend Services asks for: it verifies the signature and the claims of each assertion,
takes each only once, and knows the public keys that were registered for a client, as a person would hand them over.
"""

import base64
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidClientError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7523 import JWTBearerClientAssertion
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from adapter.store.repository import Repository
from server import create_app, running

CLIENT, SECRET = "casebridge", "hush hush/+%"
LONGEST_SECONDS = 300
Answer = tuple[int, str, str]


@dataclass
class Client(ClientMixin):
    """What is registered of a client: its secret, its public keys, and the scopes that it may have."""

    secret: str = SECRET
    jwks: dict[str, Any] = field(default_factory=lambda: {"keys": []})
    scope: str = "system/*.cruds"

    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str | None) -> str:
        return " ".join(word for word in (scope or "").split() if self.scope == "system/*.cruds" or word in self.scope.split())

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == self.secret

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


@dataclass
class Authorisation:
    """The authorisation server and the gate. A test changes what it wants to go wrong, and looks at what was asked."""

    client: Client = field(default_factory=Client)
    algorithms: tuple[str, ...] = ("RS384", "ES384")
    lifetime: float | None = 300
    """Seconds that a token lives; None: it is not told."""
    uses: int = 1_000_000
    """The requests that a token is good for."""
    answer: Callable[[], Answer | None] = lambda: None
    """What the token endpoint answers instead: status, media type and body."""
    tells: bool = True
    """Whether the hospital has a SMART configuration."""
    token_base: str = ""
    """The address that it gives the token endpoint; its own unless told."""
    url: str = ""
    forms: list[dict[str, str]] = field(default_factory=list)
    """What the token endpoint was sent."""
    refused: int = 0
    """The requests that the gate turned away."""
    issued: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._good: dict[str, tuple[float, int]] = {}
        self._jtis: set[str] = set()
        self._turn = Lock()
        self._app = flask.Flask("authorisation")
        self._app.add_url_rule("/auth/token", view_func=self._token, methods=["POST"])
        self._app.add_url_rule("/fhir/.well-known/smart-configuration", view_func=self._smart_configuration)
        self._server = AuthorizationServer(self._app, query_client=self._known, save_token=self._save)
        self._server.register_token_generator("default", self._generate)
        self._server.register_client_auth_method("client_assertion_jwt", _assertion(self))
        self._server.register_grant(_Grant)

    @property
    def token_url(self) -> str:
        return f"{self.token_base or self.url}/auth/token"

    @property
    def fhir(self) -> str:
        return f"{self.url}/fhir"

    def revoke(self) -> None:
        """No token that was given until now is good any more."""
        with self._turn:
            self._good.clear()

    def guarding(self, behind: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        """The WSGI application with the gate before it."""

        def gate(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            path = environ["PATH_INFO"]
            if path.startswith("/auth/") or (path.startswith("/fhir/.well-known/") and self.tells):
                return self._app.wsgi_app(environ, start)
            if path == "/fhir/metadata" or self._admits(environ.get("HTTP_AUTHORIZATION", "")):
                return behind(environ, start)
            start("401 Unauthorized", [("Content-Type", "text/html"), ("WWW-Authenticate", "Bearer")])
            return [b"<html>Who are you?</html>"]

        return gate

    def _admits(self, header: str) -> bool:
        token = header.removeprefix("Bearer ")
        with self._turn:
            until, left = self._good.get(token, (0.0, 0))
            if time.time() >= until or not left:
                self.refused += 1
                return False
            self._good[token] = until, left - 1
            return True

    def _token(self) -> Any:
        basic = flask.request.headers.get("Authorization", "")
        self.forms.append({**flask.request.form.to_dict(), **({"basic": basic} if basic else {})})
        instead = self.answer()
        if instead:
            status, media, body = instead
            return flask.Response(body, status, content_type=media)
        return self._server.create_token_response()

    def _smart_configuration(self) -> Any:
        return flask.jsonify(token_endpoint=self.token_url, token_endpoint_auth_signing_alg_values_supported=[*self.algorithms])

    def _known(self, client_id: str) -> Client | None:
        return self.client if client_id == CLIENT else None

    def _generate(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        make = BearerTokenGenerator(lambda **_: f"token-{len(self.issued)}-{time.monotonic_ns()}", None, lambda *_: self.lifetime or 0)
        token: dict[str, Any] = make(*args, **kwargs)
        return token

    def _save(self, token: dict[str, Any], request: Any) -> None:
        with self._turn:
            self.issued.append(token["access_token"])
            self._good[token["access_token"]] = time.time() + (self.lifetime or 3600), self.uses

    def first_use(self, jti: str) -> bool:
        """Whether this id of an assertion is seen for the first time."""
        with self._turn:
            new = jti not in self._jtis
            self._jtis.add(jti)
            return new


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post", "client_assertion_jwt"]


def _assertion(server: Authorisation) -> JWTBearerClientAssertion:
    """The check of an assertion: SMART's algorithms only, and five minutes at most."""

    class Assertion(JWTBearerClientAssertion):
        def get_audiences(self) -> list[str]:
            return [server.token_url]

        def resolve_client_public_key(self, client: Client) -> KeySet:
            if not client.jwks["keys"]:
                raise InvalidClientError
            return KeySet.import_key_set(client.jwks)

        def validate_jti(self, claims: dict[str, Any], jti: str) -> bool:
            return server.first_use(jti)

        def process_assertion_claims(self, assertion: str, resolve_key: KeySet) -> Any:
            try:
                token = jwt.decode(assertion, resolve_key, algorithms=[*server.algorithms])
            except (JoseError, ValueError) as error:
                raise InvalidClientError from error
            self.verify_claims(token.claims)
            if token.claims["exp"] > time.time() + LONGEST_SECONDS:
                raise InvalidClientError
            return token.claims

    return Assertion(leeway=0)


def basic_of(form: dict[str, str]) -> str:
    """The `user:password` that came in an Authorization header."""
    return base64.b64decode(form["basic"].removeprefix("Basic ")).decode()


@contextmanager
def guarded_hospital(database: Any) -> Iterator[Authorisation]:
    """A hospital over the database that takes only its authorisation server's tokens."""
    made = Authorisation()
    app = create_app(Repository(database))
    app.wsgi_app = made.guarding(app.wsgi_app)  # type: ignore[method-assign]
    with running(app, threads=4) as made.url:
        yield made
