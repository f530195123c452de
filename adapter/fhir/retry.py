"""Which request is sent again, when, and when to give up. What may be repeated is decided where the request is made; see client.py."""

import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from adapter import log
from adapter.errors import RemoteTemporary

T = TypeVar("T")

# Not for secrecy: the operating system's generator needs no seed, so workers that start together do not retry together.
_chance = random.SystemRandom()


@dataclass(frozen=True)
class RetryPolicy:
    """How often (`attempts`, the first included) and for how long (`budget_seconds` of waiting in all) one request is tried.

    Without a Retry-After the n-th wait is a random half to whole of `base · 2ⁿ⁻¹` seconds, at most `cap`.
    """

    attempts: int = 5
    budget_seconds: float = 120.0
    base: float = 0.5
    cap: float = 30.0

    def run(self, send: Callable[[], T], *, sleep: Callable[[float], None]) -> T:
        """What `send` returns, sent again after each RemoteTemporary. Raises the last one when attempts or budget are used up."""
        attempt, waited = 1, 0.0
        while True:
            try:
                return send()
            except RemoteTemporary as error:
                wait = self.wait(attempt) if error.retry_after is None else error.retry_after
                if attempt >= self.attempts or waited + wait > self.budget_seconds:
                    raise
                log.event("remote.retry", level=logging.WARNING, status=error.http_status, attempt=attempt, wait=round(wait, 1))
            sleep(wait)
            attempt, waited = attempt + 1, waited + wait

    def wait(self, attempt: int) -> float:
        """The seconds to wait after this attempt, the first being 1."""
        return min(self.cap, self.base * float(2 ** (attempt - 1))) * _chance.uniform(0.5, 1.0)


def http_date(text: str | None) -> datetime | None:
    """The moment an HTTP date names, in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def retry_after(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """The seconds a server asks us to wait (RFC 9110 §10.2.3), never negative; None where it does not say.

    A date is read by the server's own clock (its Date header) where it tells it, so a skewed clock does no harm.
    """
    text = headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    until = http_date(text)
    if until is None:
        return None
    return max(0.0, (until - (http_date(headers.get("Date")) or now())).total_seconds())
