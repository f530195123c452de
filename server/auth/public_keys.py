"""The public keys of clients: registered as they are, or where a client publishes them."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from adapter.clock import Clock
from adapter.errors import Invalid, RemoteError, RemoteTemporary

Fetch = Callable[[str], Any]
"""What is at the URL of a key set, as JSON. Raises RemoteError."""
Jwk = Mapping[str, Any]

# A key that a client takes away is good for so long at most; one that it adds is asked for at once, but not more often than this.
_LONGEST, _SHORTEST = timedelta(minutes=5), timedelta(seconds=10)
# While its URL fails, a key is good for so long; a set that could not be had is not asked for again for the shortest time.
_WITHOUT = timedelta(hours=1)
_NEVER = datetime.min.replace(tzinfo=UTC)
_RSA_LEAST = 2048
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


@dataclass(frozen=True)
class Algorithm:
    """A signature that is taken, and the only keys that make it: so a key is never used for what it was not made for."""

    kty: str
    read: Callable[[Any], RSAKey | ECKey]
    crv: str | None = None


# https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
ALGORITHMS: dict[str, Algorithm] = {
    "ES384": Algorithm("EC", ECKey.import_key, "P-384"),
    "RS384": Algorithm("RSA", RSAKey.import_key),
}


def key_for(jwk: Jwk, algorithm: str, taken: Mapping[str, Algorithm] = ALGORITHMS) -> RSAKey | ECKey | None:
    """The key with which signatures of this algorithm are verified; None for a key that makes none, and an algorithm that is not taken."""
    known = taken.get(algorithm)
    if known is None or jwk.get("kty") != known.kty or jwk.get("crv") != known.crv or jwk.get("alg", algorithm) != algorithm:
        return None
    try:
        return known.read(dict(jwk))
    except (JoseError, ValueError, TypeError, KeyError):
        return None


def check_set(jwks: Any) -> list[dict[str, Any]]:
    """The keys of a set that can be registered. Raises Invalid for a private one, one without `kid`, and one that is too weak or other."""
    keys = jwks.get("keys") if isinstance(jwks, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise Invalid("A JSON Web Key Set has its public keys in `keys`, at least one.")
    for key in keys:
        if _PRIVATE & key.keys():
            raise Invalid("There is a private key in this set: register public keys only, and take another pair.")
        if not isinstance(key.get("kid"), str) or not key["kid"]:
            raise Invalid("Each key of the set needs a `kid`, by which signatures name it.")
        usable = [found for name in ALGORITHMS if (found := key_for(key, name))]
        if not usable or any(isinstance(found, RSAKey) and found.raw_value.key_size < _RSA_LEAST for found in usable):
            raise Invalid(f"The keys of a client are RSA of {_RSA_LEAST} bits or more (RS384), or of the curve P-384 (ES384).")
    return keys


@dataclass(frozen=True)
class _Held:
    """A key set as it was when it was last had, and when it was last asked for."""

    keys: list[Any] = field(default_factory=list)
    had: datetime = _NEVER
    asked: datetime = _NEVER
    failed: bool = False

    def key(self, kid: str, now: datetime) -> Jwk | None:
        return named(self.keys, kid) if now - self.had < _WITHOUT else None

    def due(self, kid: str, now: datetime) -> bool:
        return now - self.asked >= _SHORTEST and (now - self.had >= _LONGEST or self.key(kid, now) is None)


class Published:
    """The key sets at URLs, remembered for a while. Each is fetched by one caller at a time, and others do not wait for that."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch, self._clock = fetch, clock
        self._held: dict[str, _Held] = {}
        self._fetching: set[str] = set()
        self._turn = Lock()

    def find(self, url: str, kid: str) -> Jwk | None:
        """The key of that name in the set at a URL. Raises RemoteError where it is not held and the set cannot be had just now."""
        now = self._clock()
        with self._turn:
            held = self._held.get(url, _Held())
            due, busy = held.due(kid, now), url in self._fetching
            if due and not busy:
                self._fetching.add(url)
        if due and not busy:
            held = self._renewed(url, held)
        key = held.key(kid, now)
        if key is None and (held.failed or due and busy):
            raise RemoteTemporary("The key set cannot be had just now.")
        return key

    def _renewed(self, url: str, held: _Held) -> _Held:
        made = replace(held, failed=True)
        try:
            with suppress(RemoteError):
                told = self._fetch(url)
                listed = told.get("keys") if isinstance(told, dict) else None
                made = _Held(listed, had=self._clock()) if isinstance(listed, list) else made
        finally:
            made = replace(made, asked=self._clock())
            with self._turn:
                self._held[url] = made
                self._fetching.discard(url)
        return made


def named(keys: list[Any], kid: str) -> Jwk | None:
    """The key of that name."""
    return next((key for key in keys if isinstance(key, dict) and key.get("kid") == kid), None)
