"""The authorization server: which grants there are, and what each gives. On Authlib, whose classes ask for what is not said here.

https://hl7.org/fhir/smart-app-launch/app-launch.html and …/backend-services.html
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import flask
from authlib.integrations.flask_oauth2 import AuthorizationServer as Flasks
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError, InvalidScopeError, OAuth2Request, grants
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oauth2.rfc7662 import IntrospectionEndpoint

from adapter.clock import Clock
from adapter.fhir.scopes import narrowed
from adapter.store.documents import Document
from server.audit.access import known, says, tells, tried
from server.auth.assertion import Assertions
from server.auth.clients import LONGEST, Client
from server.auth.identity import Issuer
from server.auth.principal import Principal
from server.auth.public_keys import Fetch, Published
from server.auth.registers import Registers
from server.auth.tokens import ACCESS, ACCESS_SECONDS, REFRESH, REFRESHING, Token, hashed, new_secret
from server.auth.users import User

PROOFS = ["private_key_jwt", "none"]
"""How a client says who it is; `none` for an app that keeps no secret, by PKCE alone."""
_CODE_LIVES = timedelta(minutes=1)


@dataclass(frozen=True)
class Consent:
    """A person's yes to an app: as whom it acts, what it may do, and what it was started for."""

    user: User
    scope: str
    patient: str | None = None
    encounter: str | None = None


@dataclass(frozen=True)
class _Code:
    """An authorization code that was exchanged."""

    body: Document = field(repr=False)

    @property
    def code_challenge(self) -> str:
        return str(self.body["challenge"])

    @property
    def code_challenge_method(self) -> str:
        return "S256"

    def get_redirect_uri(self) -> str:
        return str(self.body["redirect_uri"])

    def get_scope(self) -> str:
        return str(self.body["principal"]["scope"])


class AuthorizationServer(Flasks):  # type: ignore[misc]
    """Gives tokens to clients of this store."""

    def __init__(self, registers: Registers, issuer: Issuer, fetch: Fetch, clock: Clock) -> None:
        super().__init__()
        self.tokens, self.clients, self.users = registers.tokens, registers.clients, registers.users
        self.issuer, self.clock = issuer, clock
        self.scopes_supported = None
        self.register_client_auth_method("private_key_jwt", Assertions(self.tokens.state, clock, Published(fetch, clock), _audiences))
        self.register_token_generator("default", self._made)
        self.register_grant(_ByItself)
        self.register_grant(_ByCode, [_Challenge()])
        self.register_grant(_Again)
        self.register_endpoint(_Revocation)
        self.register_endpoint(_Introspection)

    def query_client(self, id: str) -> Client | None:
        found = self.clients.find(id)
        if found:
            tried(client=found.id)
        return found

    def _made(self, grant_type: str, client: Client, user: Principal | None = None, scope: str | None = None, **_: Any) -> Document:
        """The answer of the token endpoint. For a person `user` is what they consented to, and `scope` no more than that."""
        family = new_secret()
        if user is None:
            allowed = client.get_allowed_scope(scope)
            if allowed is None:
                raise InvalidScopeError(
                    description="Nothing that was asked for is granted, or more than a token holds: ask for scopes that the client is "
                    f"registered for, {LONGEST} characters of them at most."
                )
            principal = Principal(
                client.id, client.role_name, allowed, organisation=client.organisation, purpose=client.purpose, rate=client.rate
            )
        else:
            family = flask.g.family
            principal = replace(user, scope=narrowed(scope or user.scope, user.scope), rate=client.rate)
        made = {"access_token": self.tokens.issue(principal, family=family), "token_type": "Bearer", "expires_in": ACCESS_SECONDS}
        lives = next((REFRESH[word] for word in REFRESH if user and word in user.scope.split()), None)
        if user and lives:
            made["refresh_token"] = self.tokens.issue(user, REFRESHING, family=family, lives=lives)
        if self._ended(principal, family):
            # While this was made, and before these tokens were kept: so they were not among those that were ended.
            self.tokens.revoke(family=family)
            raise InvalidGrantError(description="The client or the person is not let in any more.")
        known(principal)
        return {**made, "scope": principal.scope, **self._context(principal, grant_type)}

    def _ended(self, principal: Principal, family: str) -> bool:
        """Whether the client or the person was disabled, or what the tokens follow from was used by another too."""
        gone = self.clients.find(principal.client) is None or (principal.user and self.users.find(principal.user) is None)
        return bool(gone) or self.tokens.ended(family)

    def _context(self, principal: Principal, grant_type: str) -> Document:
        _tells_patient(principal)
        told = {"patient": principal.patient, "encounter": principal.encounter}
        if grant_type == _ByCode.GRANT_TYPE and "openid" in principal.scope.split():
            told["id_token"] = self.issuer.id_token(principal, _address(), flask.g.get("nonce"))
        return {name: value for name, value in told.items() if value is not None}

    def save_token(self, token: Document, request: OAuth2Request) -> None:
        """Nothing: a token is kept before it is given away."""


class _ByItself(grants.ClientCredentialsGrant):  # type: ignore[misc]
    TOKEN_ENDPOINT_AUTH_METHODS = PROOFS


class _ByCode(grants.AuthorizationCodeGrant):  # type: ignore[misc]
    """The code is good once and for a minute; a second use ends what came of the first."""

    TOKEN_ENDPOINT_AUTH_METHODS = PROOFS
    AUTHORIZATION_CODE_LENGTH = 48

    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        consent: Consent = request.user
        data, user = request.payload.data, consent.user
        principal = Principal(
            request.client.id,
            user.role_name,
            consent.scope,
            user=user.name,
            organisation=user.organisation,
            fhir_user=user.fhir_user,
            patient=consent.patient,
            encounter=consent.encounter,
            purpose=request.client.purpose,
        )
        body = {
            "principal": principal.document(),
            "redirect_uri": data["redirect_uri"],
            "challenge": data["code_challenge"],
            "nonce": data.get("nonce"),
            "family": new_secret(),
            "used": False,
            "expires": self.server.clock() + _CODE_LIVES,
        }
        self.server.tokens.state.put("codes", hashed(code), body)

    def query_authorization_code(self, code: str, client: Client) -> _Code | None:
        state, id = self.server.tokens.state, hashed(code)
        body = state.get("codes", id)
        if body is None or body["principal"]["client"] != client.id or body["expires"] <= self.server.clock():
            return None
        if not state.swap("codes", id, {"used": False}, {**body, "used": True}):
            self.server.tokens.end(body["family"])
            return None
        return _Code(body)

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        """Nothing: it stays as used until it expires, so that a second use is noticed."""

    def authenticate_user(self, authorization_code: _Code) -> Principal:
        flask.g.family, flask.g.nonce = authorization_code.body["family"], authorization_code.body["nonce"]
        return Principal.read(authorization_code.body["principal"])


class _Challenge(CodeChallenge):  # type: ignore[misc]
    """PKCE by S256, of every app: RFC 7636, https://hl7.org/fhir/smart-app-launch/app-launch.html#considerations-for-pkce-support"""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        data = grant.request.payload.data
        if data.get("code_challenge_method") != "S256" or not data.get("code_challenge"):
            raise InvalidRequestError("An app sends a code_challenge made by S256.")
        super().validate_code_challenge(grant, redirect_uri)


class _Again(grants.RefreshTokenGrant):  # type: ignore[misc]
    """A refresh token is good once, and gives another."""

    TOKEN_ENDPOINT_AUTH_METHODS = PROOFS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> Token | None:
        found: Token | None = self.server.tokens.find(refresh_token, REFRESHING)
        if found and found.used:
            self.server.tokens.use(found)
            return None
        return found

    def authenticate_user(self, refresh_token: Token) -> Principal:
        # Only now, when all else was found in order: a request with a mistake in it does not cost the app its token.
        if not self.server.tokens.use(refresh_token):
            raise InvalidGrantError(description="The refresh token was used before.")
        flask.g.family = refresh_token.family
        return refresh_token.principal

    def revoke_old_credential(self, refresh_token: Token) -> None:
        """Nothing: it was used before the new one was made."""


class _AboutTokens:
    """Who asks about a token, and whose it is, is in the account."""

    server: AuthorizationServer

    def authenticate_endpoint_client(self, request: OAuth2Request) -> Client:
        client: Client = super().authenticate_endpoint_client(request)  # type: ignore[misc]
        known(Principal(client.id, client.role_name, organisation=client.organisation, purpose=client.purpose))
        return client

    def query_token(self, secret: str, hint: str | None) -> Token | None:
        kinds = (REFRESHING, ACCESS) if hint == "refresh_token" else (ACCESS, REFRESHING)
        found = next((token for kind in kinds if (token := self.server.tokens.find(secret, kind))), None)
        whose = {"token_client": found.principal.client, "token_user": found.principal.user} if found else {}
        says(token=found.kind if found else "unknown", **whose)
        return found


class _Revocation(_AboutTokens, RevocationEndpoint):  # type: ignore[misc]
    CLIENT_AUTH_METHODS = PROOFS

    def revoke_token(self, token: Token, request: OAuth2Request) -> None:  # noqa: ARG002 - Authlib's arguments
        self.server.tokens.drop(token)


class _Introspection(_AboutTokens, IntrospectionEndpoint):  # type: ignore[misc]
    """For the client that has a token, and for an administrator's."""

    CLIENT_AUTH_METHODS = PROOFS[:1]

    def query_token(self, secret: str, hint: str | None) -> Token | None:
        found = super().query_token(secret, hint)
        return None if found and found.used else found

    def create_introspection_payload(self, token: Token | None) -> Document:
        payload: Document = super().create_introspection_payload(token)
        says(active=str(payload["active"]).lower())
        return payload

    def check_permission(self, token: Token, client: Client, request: OAuth2Request) -> bool:  # noqa: ARG002 - Authlib's arguments
        return token.check_client(client) or client.role_name == "administrator"

    def introspect_token(self, token: Token) -> Document:
        asks = token.principal
        _tells_patient(asks)
        told = {
            "active": True,
            "scope": asks.scope,
            "client_id": asks.client,
            "sub": asks.user or asks.client,
            "exp": int(token.expires.timestamp()),
            "iat": int(token.issued.timestamp()),
            "iss": _address(),
            "patient": asks.patient,
            "encounter": asks.encounter,
            "fhirUser": f"{_address()}/fhir/{asks.fhir_user}" if asks.fhir_user else None,
        }
        return {name: value for name, value in told.items() if value is not None}


def _tells_patient(principal: Principal) -> None:
    """Account for the id of the patient for whom an app was started, which the answer has."""
    if principal.patient:
        tells([f"Patient/{principal.patient}"])


def _address() -> str:
    return flask.request.host_url.rstrip("/")


def _audiences() -> Collection[str]:
    """What an assertion may be for: the token endpoint, or the very endpoint that it is sent to."""
    return {f"{_address()}/oauth/token", flask.request.base_url}
