"""The sessions of a service, from how often it is planned (DOMAIN P-33). Pure functions."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from adapter.cases.facts import day, moment
from adapter.cases.record import Fields
from adapter.errors import Invalid, NotNow

Span = tuple[datetime, datetime]
_PERIODS = {"d": timedelta(days=1), "wk": timedelta(weeks=1)}
MOST = 366
"""So many sessions at most are made of one service."""
_DAY = 24 * 60


def sessions(timing: Fields, first: Sequence[str], minutes: int, busy: Iterable[Span]) -> list[Span]:
    """The times of all sessions, in order; none meets another, or what the client is busy with.

    `first` are the starts, with their zones, of the sessions in the first period: as many as the timing's `frequency`. Each is repeated at
    the same clock time of that offset; one that would meet something begins when that ends, on the same day. Raises Invalid where the
    timing does not say how many sessions there are, or they would end after the last year there is, NotNow `no_free_time`.
    """
    step = _PERIODS.get(timing.get("period_unit", ""))
    starts = _starts(first)
    if step is None or len(starts) != timing.get("frequency", 1):
        raise Invalid("Sessions are planned by days or weeks: give as many starts, with their times, as there are in a period.")
    if not 1 <= minutes <= _DAY:
        raise Invalid(f"A session has 1 to {_DAY} minutes.", expression=["minutes"])
    try:
        return _spans(timing, starts, step * float(timing.get("period", 1)), timedelta(minutes=minutes), busy)
    except OverflowError:
        raise Invalid("The sessions would end after the year 9999.", expression=["first"]) from None


def _starts(first: Sequence[str]) -> list[datetime]:
    """The starts in their order; none where one of them is no moment with its zone."""
    try:
        found = [moment(start) for start in first if "T" in start]
    except ValueError:
        return []
    return sorted(found) if len(found) == len(first) and all(start.tzinfo for start in found) else []


def _spans(timing: Fields, starts: Sequence[datetime], period: timedelta, length: timedelta, busy: Iterable[Span]) -> list[Span]:
    number = _number(timing, starts, period)
    taken, found = [*busy], []
    for place in range(number):
        wish = starts[place % len(starts)] + period * (place // len(starts))
        span = _free(wish, length, taken)
        taken.append(span)
        found.append(span)
    return sorted(found)


def _number(timing: Fields, starts: Sequence[datetime], period: timedelta) -> int:
    if "count" in timing:
        number = int(timing["count"])
    elif "end" in timing:
        last = day(timing["end"])
        number = 0
        while number <= MOST and (starts[number % len(starts)] + period * (number // len(starts))).date() <= last:
            number += 1
    else:
        raise Invalid("How many sessions there are is not known: the timing has neither a count nor an end.", expression=["timing"])
    if not 1 <= number <= MOST:
        raise Invalid(f"A service has 1 to {MOST} sessions.", expression=["timing"])
    return number


def _free(wish: datetime, length: timedelta, taken: Sequence[Span]) -> Span:
    """The first time on that day, from the wish on, that meets nothing which is taken."""
    start = wish
    while met := [end for begin, end in taken if begin < start + length and start < end]:
        start = max(met).astimezone(wish.tzinfo)
    if start.date() != wish.date():
        raise NotNow("The client has no free time for a session on one of the days.", code="no_free_time", expression=["start"])
    return start, start + length
