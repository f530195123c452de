"""The OpenID Provider at which people log in, and what is believed of its word.

That is what it signed with a key that it publishes, for this server and for this very log-in, and what is good now.
https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import quote

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import ClaimError, JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry

from adapter.clock import Clock
from adapter.config import Oidc
from adapter.errors import Invalid, RemoteError, RemoteTemporary
from adapter.fhir.resource import Raw
from server.auth.clients import secure
from server.auth.public_keys import Algorithm, Fetch, Published, key_for
from server.errors import ProofRefused

Redeem = Callable[[str, Mapping[str, str], str], Raw]
"""What the token endpoint at a URL gives for a form; the text is `client:secret` for HTTP Basic, or empty. Raises RemoteError."""

# Only what is signed by a private key: with HS256 whoever has the secret, so we ourselves, could have written it.
_RSA = Algorithm("RSA", RSAKey.import_key)
_SIGNED_BY = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), _RSA),
    **{f"ES{bits}": Algorithm("EC", ECKey.import_key, f"P-{521 if bits == 512 else bits}") for bits in (256, 384, 512)},
}
_SCOPES = {"sub": "openid", "email": "openid email"}
_MORE = "openid profile"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_DISCOVERED_EACH, _AGAIN = timedelta(hours=1), timedelta(seconds=10)
_NEVER = datetime.min.replace(tzinfo=UTC)
_CLOCKS_DIFFER_SECONDS = 60
_LONGEST_TOKEN, _LONGEST_CLAIM = 16_384, 255


def account(settings: Oidc, value: str) -> str:
    """As what a person is registered here whom the provider names so: by another provider or claim it would be somebody else."""
    # Letters beyond ASCII are not folded: some of them would become others' (the sign of the kelvin a k).
    folded = value.lower() if settings.claim == "email" and value.isascii() else value
    return f"{settings.issuer} {settings.claim} {folded}"


class Provider:
    """One provider, known by its issuer. Where its endpoints are it says itself, and is asked again after an hour.

    `secret` reads what it knows this server by, None for a public client. Raises Invalid for an issuer that could be overheard.
    """

    def __init__(self, settings: Oidc, secret: Callable[[], str] | None, fetch: Fetch, redeem: Redeem, clock: Clock) -> None:
        if not secure(settings.issuer):
            raise Invalid("CASEBRIDGE_OIDC_ISSUER is an address that begins with https:// (on this machine with http://).")
        self._settings, self._secret, self._fetch, self._redeem, self._clock = settings, secret, fetch, redeem, clock
        self._keys = Published(fetch, clock)
        self._held: Mapping[str, Any] | None = None
        self._had = self._asked = _NEVER
        self._turn = Lock()

    @property
    def name(self) -> str:
        """As people know it."""
        return self._settings.name

    def address(self, back: str, *, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent to log in, and from there to `back`. Raises RemoteError, ProofRefused."""
        asked = {
            "redirect_uri": back,
            "scope": _SCOPES.get(self._settings.claim, _MORE),
            "state": state,
            "nonce": nonce,
            "code_challenge": create_s256_code_challenge(verifier),
            "code_challenge_method": "S256",
        }
        return str(prepare_grant_uri(self._told()["authorization_endpoint"], self._settings.client, "code", **asked))

    def account(self, answer: Mapping[str, str], back: str, *, nonce: str, verifier: str) -> str:
        """The account of who logged in there, as users have it; `answer` is what the browser brought back.

        Raises ProofRefused, and RemoteError where the provider does not answer.
        """
        told = self._told()
        # Which provider it was that answered, against the mix-up of two: RFC 9207.
        issuer = answer.get("iss")
        if issuer != self._settings.issuer and (issuer is not None or told.get("authorization_response_iss_parameter_supported")):
            raise ProofRefused("issuer")
        if not answer.get("code"):
            raise ProofRefused("denied")
        given = self._given(told, {"code": answer["code"], "redirect_uri": back, "code_verifier": verifier})
        claims = self._claims(told, given, nonce)
        claim = self._settings.claim
        value = claims.get(claim)
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_CLAIM:
            raise ProofRefused(claim)
        # Else whoever can write an address into their profile there would come in as its owner.
        if claim == "email" and claims.get("email_verified") is not True:
            raise ProofRefused("email_verified")
        return account(self._settings, value)

    def leaving(self, back: str) -> str | None:
        """Where a browser is sent to log out there too, and from there to `back`; None where that cannot be.

        https://openid.net/specs/openid-connect-rpinitiated-1_0.html
        """
        try:
            ends = self._told().get("end_session_endpoint")
        except (RemoteError, ProofRefused):
            return None
        asked = [("client_id", self._settings.client), ("post_logout_redirect_uri", back)]
        return str(add_params_to_uri(ends, asked)) if isinstance(ends, str) and secure(ends) else None

    def _given(self, told: Mapping[str, Any], form: Mapping[str, str]) -> Raw:
        """What the token endpoint gives for a code, this server having said who it is."""
        client, secret = self._settings.client, self._secret() if self._secret else ""
        form = {"grant_type": "authorization_code", **form}
        if secret and "client_secret_basic" in told.get("token_endpoint_auth_methods_supported", ["client_secret_basic"]):
            # As in a form, before it is written as Basic has it: RFC 6749 §2.3.1.
            return self._redeem(told["token_endpoint"], form, ":".join(quote(part, safe="") for part in (client, secret)))
        return self._redeem(told["token_endpoint"], {**form, "client_id": client, "client_secret": secret}, "")

    def _claims(self, told: Mapping[str, Any], given: Raw, nonce: str) -> Mapping[str, Any]:
        """What the ID token says of the person, judged."""
        text, settings = given.get("id_token"), self._settings
        if not isinstance(text, str) or len(text) > _LONGEST_TOKEN:
            raise ProofRefused("id_token")
        try:
            header = jws.extract_compact(text.encode()).headers()
            algorithm = str(header.get("alg"))
            # Parameters of a header that are not known are let pass, as RFC 7515 §4 asks, unless they are critical.
            registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
            token = jwt.decode(text, self._key(told, algorithm, header.get("kid")), registry=registry)
        except (JoseError, ValueError, TypeError):
            raise ProofRefused("signature") from None
        needed = {"iss": {"essential": True, "value": settings.issuer}, "aud": {"essential": True, "value": settings.client}}
        about = {"nonce": nonce, "client_id": settings.client, "access_token": given.get("access_token")}
        claims = CodeIDToken(token.claims, token.header, needed, about)
        try:
            claims.validate(int(self._clock().timestamp()), _CLOCKS_DIFFER_SECONDS)
        except JoseError as error:
            raise ProofRefused(error.claim if isinstance(error, ClaimError) else error.error) from None
        except (ValueError, TypeError, AttributeError):
            raise ProofRefused("claims") from None
        return dict(claims)

    def _key(self, told: Mapping[str, Any], algorithm: str, kid: Any) -> RSAKey | ECKey:
        """The key of that name, if it signs by that algorithm and the provider says that it does."""
        known = algorithm in told.get("id_token_signing_alg_values_supported", ["RS256"])
        jwk = self._keys.find(told["jwks_uri"], kid) if known and isinstance(kid, str) else None
        key = key_for(jwk, algorithm, _SIGNED_BY) if jwk and jwk.get("use", "sig") == "sig" else None
        if key is None:
            raise ProofRefused("signature")
        return key

    def _told(self) -> Mapping[str, Any]:
        """What the provider says of itself; while it does not answer, what it said before."""
        now = self._clock()
        with self._turn:
            held = self._held
            due = now - self._had >= _DISCOVERED_EACH and now - self._asked >= _AGAIN
            if due:
                self._asked = now
        if due:
            held = self._discovered() or held
        if held is None:
            raise RemoteTemporary("The OpenID Provider cannot be reached just now.")
        return held

    def _discovered(self) -> Mapping[str, Any] | None:
        """https://openid.net/specs/openid-connect-discovery-1_0.html"""
        try:
            told = self._fetch(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        except RemoteError:
            return None
        named = isinstance(told, dict) and told.get("issuer") == self._settings.issuer
        taken = named and all(secure(str(told.get(endpoint))) for endpoint in _ENDPOINTS)
        with self._turn:
            self._held, self._had = (told, self._clock()) if taken else (None, _NEVER)
        if not taken:
            raise ProofRefused("discovery")
        return dict(told)
