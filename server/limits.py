"""How often a caller may ask: a bucket of requests for each client, each person, and each address from which nobody known asks.

A bucket fills at the caller's rate and holds what comes in BURST_SECONDS, as `adapter.fhir.rate` does for the remotes that we ask. What is
kept of one is the moment at which it will be full again. Each process counts for itself: a look into the store would cost more than most
requests. docs/limits.md says what that means for several.
"""

import ipaddress
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from threading import Lock
from typing import Any

import flask

from adapter.errors import Throttled
from server import errors

BURST_SECONDS = 10.0
"""So many seconds' requests may come at once after a rest."""
DEBT_SECONDS = 60.0
"""What is charged afterwards is waited for no longer than that."""
KEPT_AT_MOST = 50_000
KNOWN, UNKNOWN = 200.0, 20.0
"""Requests a second where callers are asked who they are and no setting says otherwise: of each who is known, and of each address."""

_LONGEST_ADDRESS = 64
# Sums of fractions of a second are off by less than that.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose requests are counted together; `rate` is in requests a second, 0 for no limit."""

    name: str
    rate: float


NOBODY = Caller("", 0)


class Limits:
    """The buckets of one application. `known` is the rate of each who is known, `unknown` that of each address; 0 for no limit."""

    def __init__(self, known: float = 0, unknown: float = 0, *, now: Callable[[], float] = time.monotonic) -> None:
        self._known, self._unknown, self._now = known, unknown, now
        self._full: dict[str, float] = {}
        self._lock = Lock()

    def caller(self, name: str, rate: float | None) -> Caller:
        """One who is known, with a rate of its own or that of all."""
        return Caller(f"known {name}", self._known if rate is None else rate)

    def address(self, environ: Mapping[str, Any]) -> Caller:
        """Whoever asks from the address of a request. One that a proxy does not tell is nobody's, and has no limit."""
        text = str(environ.get("REMOTE_ADDR") or "")
        return Caller(f"address {network(text)}", self._unknown) if self._unknown and text else NOBODY

    def enter(self, caller: Caller) -> None:
        """Count a request. Raises Throttled for one that comes too early; that one is not counted."""
        if not caller.rate:
            return
        each = 1 / caller.rate
        with self._lock:
            now = self._now()
            full = max(self._full.pop(caller.name, now), now)
            early = full + each - now - max(BURST_SECONDS, each)
            # Put back behind all others: who has not asked for longest is forgotten first.
            self._full[caller.name] = full if early > _ROUNDING else full + each
            if len(self._full) > KEPT_AT_MOST:
                self._forget(now)
        if early > _ROUNDING:
            wait = ceil(early)
            raise Throttled(f"Too many requests: wait {wait} second{'' if wait == 1 else 's'} before the next.", retry_after=wait)

    def charge(self, caller: Caller, requests: int) -> None:
        """Count what a request takes beyond one, such as the entries of a Bundle, done or not: who asks next waits for it."""
        if caller.rate and requests > 0:
            with self._lock:
                now = self._now()
                full = max(self._full.get(caller.name, now), now) + requests / caller.rate
                self._full[caller.name] = min(full, now + BURST_SECONDS + DEBT_SECONDS)

    def _forget(self, now: float) -> None:
        """Keep only buckets that are not full; where these are too many, the half that was asked for last."""
        left = {name: full for name, full in self._full.items() if full > now}
        self._full = dict([*left.items()][-KEPT_AT_MOST // 2 :])


def network(address: str) -> str:
    """What one caller can have of addresses: an IPv4 address, without a port; of IPv6 the /64, since any of its addresses can be had."""
    text = address[:_LONGEST_ADDRESS]
    host = text.partition(":")[0] if text.count(":") == 1 else text.partition("]")[0].lstrip("[")
    try:
        parsed = ipaddress.ip_address(host)
    except ValueError:
        return text
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ipaddress.IPv6Address(int(parsed) >> 64 << 64))


def throttled(error: Throttled) -> flask.Response:
    """What one is told by Flask who asks too often: problem JSON, for browsers too, which no person makes ask as often."""
    headers = {"Retry-After": str(error.retry_after), "Cache-Control": "no-store"}
    return flask.Response(errors.as_problem(error), error.status, headers, content_type=errors.PROBLEM_JSON)
