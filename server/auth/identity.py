"""Who uses an app, told to the app: an ID token that is signed. https://openid.net/specs/openid-connect-core-1_0.html#IDToken"""

from datetime import timedelta
from typing import Any

from joserfc import jwt

from adapter.clock import Clock
from adapter.errors import NotFound
from adapter.fhir.keys import Keys
from server.auth.principal import Principal

# What SMART asks every server to sign by: https://hl7.org/fhir/smart-app-launch/scopes-and-launch-context.html
SIGNED_BY = "RS256"
_MADE_AS = "RS384"
_LIVES = timedelta(minutes=5)


class Issuer:
    """Signs by the newest of its keys; the ones before are published with it until they are dropped (`casebridge keys`)."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self._keys, self._clock = keys, clock
        try:
            keys.all()
        except NotFound:
            keys.make(_MADE_AS, clock())

    def jwks(self) -> dict[str, Any]:
        """The public keys by which apps check what was signed."""
        return {"keys": [{**key.public(), "alg": SIGNED_BY} for key in self._keys.all() if key.algorithm == _MADE_AS]}

    def id_token(self, principal: Principal, address: str, nonce: str | None) -> str:
        """The text that says who the person is, for the client alone. `address` is this server's."""
        now = self._clock()
        key = next(key for key in reversed(self._keys.all()) if key.algorithm == _MADE_AS)
        claims = {
            "iss": address,
            "sub": principal.user,
            "aud": principal.client,
            "iat": int(now.timestamp()),
            "exp": int((now + _LIVES).timestamp()),
            "nonce": nonce,
            "fhirUser": f"{address}/fhir/{principal.fhir_user}" if principal.fhir_user and _asked(principal.scope) else None,
        }
        told = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode({"alg": SIGNED_BY, "kid": key.kid}, told, key.key, algorithms=[SIGNED_BY])


def _asked(scope: str) -> bool:
    return not {"fhirUser", "profile"}.isdisjoint(scope.split())
