"""An OpenID Provider on a real socket, built on Authlib's server half: authorization code with PKCE, discovery, keys, log-out.

Whoever comes with a browser is `person`, or says no. A test changes what it is to do wrong, and looks at what it was asked.
"""

import base64
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from adapter.config import Oidc
from server import running

CLIENT, SECRET = "casebridge-at-city", "hush +%/ hush"
NAME = "City Hospital"
PERSON = {"sub": "248289761001", "email": "Dana@City.example", "email_verified": True, "preferred_username": "dana"}


@dataclass(frozen=True)
class Signing:
    """A key pair and how it signs."""

    kid: str
    key: Any
    algorithm: str = "RS256"

    def public(self) -> dict[str, Any]:
        return {**self.key.as_dict(private=False), "kid": self.kid, "use": "sig"}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return jwt.encode({"alg": self.algorithm, "kid": self.kid, **header}, claims, self.key, algorithms=[self.algorithm])


def rsa(kid: str) -> Signing:
    return Signing(kid, RSAKey.generate_key(2048))


def curve(kid: str) -> Signing:
    return Signing(kid, ECKey.generate_key("P-256"), "ES256")


class _Client(ClientMixin):
    """What is registered of the server whose people log in here."""

    def get_client_id(self) -> str:
        return CLIENT

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_redirect_uri(self, uri: str) -> bool:
        return uri.startswith("http://127.0.0.1:") and uri.endswith("/login/oidc/back")

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return True

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code(AuthorizationCodeMixin):
    """An authorization code, which is good once."""

    person: dict[str, Any]
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> None:
        return None


@dataclass
class OpenIdProvider:
    """The provider. `says` is what an ID token says otherwise, None for what it leaves out; `signs` makes its text of the claims."""

    signing: Signing
    person: dict[str, Any] | None = field(default_factory=lambda: dict(PERSON))
    says: dict[str, Any] = field(default_factory=dict)
    tells: dict[str, Any] = field(default_factory=dict)
    """What discovery says otherwise, None for what it leaves out."""
    signs: Callable[[dict[str, Any]], str] | None = None
    published: list[dict[str, Any]] = field(default_factory=list)
    gives: dict[str, Any] = field(default_factory=dict)
    """What the token endpoint gives otherwise, None for what it leaves out."""
    away: bool = False
    """Whether it answers nobody."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """What browsers were sent to it with."""
    redeemed: list[dict[str, str]] = field(default_factory=list)
    """What its token endpoint was sent, with the credentials as `basic`."""
    left: list[dict[str, str]] = field(default_factory=list)
    """Who was sent to log out."""
    url: str = ""

    def __post_init__(self) -> None:
        self.published = self.published or [self.signing.public()]
        self._codes: dict[str, _Code] = {}
        self.app = app = flask.Flask("provider")
        app.config.update(MAX_CONTENT_LENGTH=65_536)
        app.before_request(lambda: flask.abort(503) if self.away else None)
        app.add_url_rule("/.well-known/openid-configuration", "discovery", self._discovery)
        app.add_url_rule("/keys", "keys", lambda: {"keys": self.published})
        app.add_url_rule("/authorize", "authorize", self._authorize)
        app.add_url_rule("/token", "token", self._token, methods=["POST"])
        app.add_url_rule("/end", "end", self._end)
        self._server = AuthorizationServer(app, query_client=lambda id: _Client() if id == CLIENT else None, save_token=lambda *_: None)
        self._server.register_token_generator("default", BearerTokenGenerator(lambda **_: secrets.token_urlsafe(24)))
        self._server.register_grant(_grant(self, self._codes), [CodeChallenge(required=True), _identity(self)])

    def settings(self, **other: Any) -> Oidc:
        """How a server names it that lets people log in here."""
        return replace(Oidc(self.url, CLIENT, name=NAME), **other)

    def _discovery(self) -> dict[str, Any]:
        told = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "end_session_endpoint": f"{self.url}/end",
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
        }
        return {name: value for name, value in (told | self.tells).items() if value is not None}

    def _authorize(self) -> Any:
        self.asked.append(flask.request.args.to_dict())
        grant = self._server.get_consent_grant(end_user=self.person)
        return self._server.create_authorization_response(grant_user=self.person, grant=grant)

    def _token(self) -> Any:
        basic = flask.request.authorization
        proof = {"basic": f"{basic.username}:{basic.password}"} if basic else {}
        self.redeemed.append({**flask.request.form.to_dict(), **proof})
        answer = self._server.create_token_response()
        if answer.status_code != 200 or not self.gives:
            return answer
        return {name: value for name, value in (answer.get_json() | self.gives).items() if value is not None}

    def _end(self) -> str:
        self.left.append(flask.request.args.to_dict())
        return "Good bye."

    def id_token(self, honest: str) -> str:
        """The ID token, as it is to be."""
        claims = {**json.loads(_decoded(honest.split(".")[1])), **self.says}
        told = {name: value for name, value in claims.items() if value is not None}
        return self.signs(told) if self.signs else self.signing.sign(told)


def _grant(provider: OpenIdProvider, codes: dict[str, _Code]) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):
        TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload.data
            challenge = asked["code_challenge"], asked["code_challenge_method"]
            codes[code] = _Code(request.user, asked["redirect_uri"], asked["scope"], asked["nonce"], *challenge)

        def query_authorization_code(self, code: str, client: Any) -> _Code | None:
            return codes.get(code)

        def delete_authorization_code(self, authorization_code: _Code) -> None:
            for code in [code for code, found in codes.items() if found is authorization_code]:
                del codes[code]

        def authenticate_user(self, authorization_code: _Code) -> dict[str, Any]:
            return authorization_code.person

    return Grant


def _identity(provider: OpenIdProvider) -> OpenIDCode:
    class Identity(OpenIDCode):
        def exists_nonce(self, nonce: str, request: Any) -> bool:
            return False

        def get_client_claims(self, client: Any) -> dict[str, Any]:
            return {"iss": provider.url, "aud": CLIENT}

        def resolve_client_private_key(self, client: Any) -> Any:
            return provider.signing.key

        def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
            return user

        def encode_id_token(self, token: dict[str, Any], request: Any) -> str:
            return provider.id_token(super().encode_id_token(token, request))

    return Identity(require_nonce=True)


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@contextmanager
def provided(signing: Signing) -> Iterator[OpenIdProvider]:
    """A provider, as long as the context is open."""
    made = OpenIdProvider(signing)
    with running(made.app, threads=2) as made.url:
        yield made
