"""How a client proves who it is: by a short-lived text that it signed. RFC 7523, as SMART asks for it (`private_key_jwt`).

https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from authlib.oauth2.rfc6749 import InvalidClientError, OAuth2Error, OAuth2Request
from joserfc import jws, jwt
from joserfc.errors import JoseError

from adapter.clock import Clock
from adapter.errors import Invalid, RemoteError
from adapter.fhir.resource import decode
from adapter.store.state import State
from server.auth.clients import Client
from server.auth.public_keys import ALGORITHMS, Jwk, Published, key_for, named

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LONGEST = timedelta(minutes=5)
_CLOCKS_DIFFER = timedelta(seconds=10)
_LARGEST, _LONGEST_ID = 8192, 255


class Unavailable(OAuth2Error):  # type: ignore[misc]
    """The keys of the client cannot be had for now."""

    error = "temporarily_unavailable"
    status_code = 503


class Assertions:
    """Judges assertions; each is taken once, by all processes together."""

    def __init__(self, state: State, clock: Clock, published: Published, audiences: Callable[[], Collection[str]]) -> None:
        self._state, self._clock, self._published, self._audiences = state, clock, published, audiences

    def __call__(self, query_client: Callable[[str], Client | None], request: OAuth2Request) -> Client | None:
        """The client that signed the request's assertion; None for a request without one. Raises InvalidClientError."""
        form: Mapping[str, str] = request.form
        text = form.get("client_assertion", "")
        if form.get("client_assertion_type") != TYPE or not text:
            return None
        header, claimed = _read(text)
        id = claimed.get("sub")
        client = query_client(id) if isinstance(id, str) else None
        # A client that is not known and a signature that is not its own are told in the same words.
        jwk = self._jwk(client, header.get("kid")) if client else None
        key = key_for(jwk, str(header.get("alg"))) if jwk else None
        if client is None or key is None or form.get("client_id", client.id) != client.id:
            raise _refused("The client or its key is not known, or the signature is none of RS384 and ES384.")
        try:
            claims = jwt.decode(text, key, algorithms=[*ALGORITHMS]).claims
        except (JoseError, ValueError):
            raise _refused("The signature is not that of the client.") from None
        self._judge(client, claims)
        return client

    def _jwk(self, client: Client, kid: Any) -> Jwk | None:
        if not isinstance(kid, str):
            return None
        if client.jwks_url is None:
            return named((client.jwks or {}).get("keys", []), kid)
        try:
            return self._published.find(client.jwks_url, kid)
        except RemoteError:
            raise Unavailable("The key set of the client cannot be fetched.") from None

    def _judge(self, client: Client, claims: Mapping[str, Any]) -> None:
        audience, id, now = claims.get("aud"), claims.get("jti"), self._clock()
        named = audience if isinstance(audience, list) else [audience]
        expires, begins = _moment(claims.get("exp")), _moment(claims.get("nbf", 0))
        if claims.get("iss") != client.id:
            raise _refused("iss and sub are both the id of the client.")
        if not any(isinstance(each, str) and each in self._audiences() for each in named):
            raise _refused("aud is the address of the token endpoint.")
        # Only to now is anything added: what a client says may be at the end of all time.
        if expires is None or begins is None or expires <= now - _CLOCKS_DIFFER or begins > now + _CLOCKS_DIFFER:
            raise _refused("The assertion has expired, or does not say when it does.")
        if expires > now + _LONGEST + _CLOCKS_DIFFER:
            raise _refused("The assertion is good for more than five minutes.")
        if not isinstance(id, str) or not 0 < len(id) <= _LONGEST_ID:
            raise _refused("The assertion has no jti.")
        once = hashlib.sha256(f"{client.id}\n{id}".encode()).hexdigest()
        if not self._state.add("assertions", once, {"expires": expires + _CLOCKS_DIFFER}):
            raise _refused("The assertion was used before.")


def _read(text: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The header and claims as they are written, not yet believed."""
    try:
        found = jws.extract_compact(text[:_LARGEST].encode())
        header, claims = found.headers(), decode(found.payload)
    except (JoseError, ValueError, Invalid):
        raise _refused("The assertion is no signed JWT.") from None
    if not isinstance(claims, dict):
        raise _refused("The assertion is no signed JWT.")
    return header, claims


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(float(seconds), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _refused(text: str) -> InvalidClientError:
    return InvalidClientError(description=text)
