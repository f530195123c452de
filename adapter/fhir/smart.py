"""SMART Backend Services: we prove who we are by a signature, and ask for a token where the remote says that tokens are given.

https://hl7.org/fhir/smart-app-launch/backend-services.html
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from joserfc import jwt

from adapter import log
from adapter.clock import Clock
from adapter.errors import Invalid, RemoteFatal
from adapter.fhir.exchange import FHIR_JSON, Ask, Exchange
from adapter.fhir.keys import ALGORITHMS, Keys, SigningKey
from adapter.fhir.oauth import UNPROVEN, Granted, Reply, ask_token
from adapter.fhir.resource import Raw
from adapter.fhir.retry import RetryPolicy
from adapter.fhir.scopes import OAUTH_URIS, lacking, scopes
from adapter.fhir.tls import Transport

# SMART allows five minutes; half of them leave as much for a clock that is slow as for one that is fast.
_LIFETIME = timedelta(seconds=150)
# Above this a refusal may be for the time in what we sign.
_CLOCK_DIFFERENCE = timedelta(seconds=30)
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True)
class Endpoint:
    """Where a remote gives tokens, and the signatures that it takes, none where it does not say."""

    url: str
    algorithms: frozenset[str] = field(default=frozenset())


def _configured(raw: Raw) -> object:
    return raw.get("token_endpoint")


def _declared(raw: Raw) -> object:
    """http://hl7.org/fhir/smart-app-launch/1.0.0/conformance/"""
    server: Raw = next((rest for rest in _items(raw, "rest") if rest.get("mode") == "server"), {})
    security = server.get("security")
    uris = _extension(security if isinstance(security, dict) else {}, OAUTH_URIS)
    return _extension(uris, "token").get("valueUri")


# Where a FHIR server says where it gives tokens: the newer place first.
_PLACES = (("/.well-known/smart-configuration", "application/json", _configured), ("/metadata", FHIR_JSON, _declared))


def discover(base_url: str, transport: Transport, clock: Clock) -> Endpoint:
    """The token endpoint that a FHIR server names, in its SMART configuration or its CapabilityStatement. Raises RemoteFatal for none."""
    with transport.session(clock) as session:
        # No retry here: who sends the request for which a token is needed tries again.
        exchange = Exchange(auth=None, timeout=transport.timeout, retry=RetryPolicy(attempts=1), session=session, clock=clock)
        for path, media, read in _PLACES:
            ask = Ask("GET", base_url.rstrip("/") + path, path.rpartition("/")[2], headers={"Accept": media})
            try:
                raw = exchange.send(ask).raw or {}
            except RemoteFatal:
                continue
            url = read(raw)
            if isinstance(url, str) and url.startswith(("https://", "http://")):
                told = raw.get("token_endpoint_auth_signing_alg_values_supported")
                return Endpoint(url, frozenset(name for name in ALGORITHMS if isinstance(told, list) and name in told))
    raise RemoteFatal(f"{log.safe_url(base_url)} does not say where it gives tokens: set auth.token_url.")


def _extension(element: Raw, url: str) -> Raw:
    return next((each for each in _items(element, "extension") if each.get("url") == url), {})


def _items(element: Raw, name: str) -> list[Raw]:
    """The objects in a list that may be none: what we know of the server is only that it speaks JSON."""
    found = element.get(name)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def same_origin(base_url: str, endpoint: str) -> str:
    """The endpoint, if it is on the host that names it; another gets our secret only if a person says so. Raises RemoteFatal."""
    ours, theirs = urlsplit(base_url), urlsplit(endpoint)
    if (ours.scheme, ours.netloc) != (theirs.scheme, theirs.netloc):
        named = log.safe_url(endpoint)
        raise RemoteFatal(f"The remote gives tokens at another host, {named}: if our secret may go there, set auth.token_url to it.")
    return endpoint


@dataclass(frozen=True)
class BackendService:
    """Proves who we are to a token endpoint by a signature of the newest of `keys` that it knows and can check."""

    client_id: str
    keys: Callable[[], Keys]
    scope: str
    locate: Callable[[], Endpoint]
    transport: Transport
    clock: Clock

    def __call__(self) -> Granted:
        endpoint, keys = self.locate(), self.keys()
        newest, *older = reversed(_usable(keys, endpoint))
        reply = self._asked(endpoint.url, newest)
        for key in older:
            if reply.code not in UNPROVEN:
                break
            # A key that is new here may not be registered there yet; the one before it is.
            log.event("remote.key_refused", level=logging.WARNING, code=reply.code, trying=key.kid)
            reply = self._asked(endpoint.url, key)
        granted = reply.granted(f"that what `casebridge keys jwks {keys.name}` prints is registered there")
        if granted.scope is not None and (missing := lacking(scopes(self.scope), scopes(granted.scope))):
            log.event("remote.scope_reduced", level=logging.WARNING, lacking=" ".join(map(str, missing)))
        return granted

    def _asked(self, url: str, key: SigningKey) -> Reply:
        reply = self._sent(url, key, self.clock())
        if reply.code and abs(reply.ahead) > _CLOCK_DIFFERENCE:
            log.event("remote.clock_differs", level=logging.WARNING, ahead_seconds=round(reply.ahead.total_seconds()))
            reply = self._sent(url, key, self.clock() + reply.ahead)
        return reply

    def _sent(self, url: str, key: SigningKey, moment: datetime) -> Reply:
        claims = {
            "iss": self.client_id,
            "sub": self.client_id,
            "aud": url,
            "exp": int((moment + _LIFETIME).timestamp()),
            "jti": secrets.token_urlsafe(24),
        }
        signed = jwt.encode({"alg": key.algorithm, "kid": key.kid}, claims, key.key, algorithms=[key.algorithm])
        return ask_token(
            self.transport, url, {"scope": self.scope, "client_assertion_type": _ASSERTION, "client_assertion": signed}, self.clock
        )


def _usable(keys: Keys, endpoint: Endpoint) -> list[SigningKey]:
    """The keys whose signature the endpoint takes, oldest first."""
    found = [key for key in keys.all() if not endpoint.algorithms or key.algorithm in endpoint.algorithms]
    if not found:
        (algorithm,) = endpoint.algorithms
        how = f"`casebridge keys rotate {keys.name} --algorithm {algorithm}` makes one"
        raise Invalid(f"The remote takes signatures by {algorithm} only, and no key of {keys.name} makes them: {how}.")
    return found
