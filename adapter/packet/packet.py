"""The packet: a member's plans in a time and all that they refer to, as one caller may see it, with why it may and what it may not.

Decision 026 says what is in it and why.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.access.disclosure import Disclosure
from adapter.access.ties import ties
from adapter.access.viewer import PAYOR, purposes
from adapter.access.whose import PATIENT
from adapter.errors import Busy, Forbidden, NotApplicable
from adapter.fhir.dates import BEGIN, END, Span
from adapter.fhir.resource import Raw, parse
from adapter.packet import withheld
from adapter.packet.grounds import Ground, grounds
from adapter.packet.member import nobody, of_reference
from adapter.packet.reach import Reach, Tell, named
from adapter.packet.withheld import Account
from adapter.store import cards
from adapter.store.care_dates import care
from adapter.store.repository import Repository
from adapter.store.rows import Row
from adapter.store.seen import seen_by
from adapter.store.sight import Sight

PLAN, COVERAGE = "CarePlan", "Coverage"
# So often the record is read in all, until two readings after each other agree.
_TIMES = 5


@dataclass(frozen=True)
class Asked:
    """What is asked for."""

    patient: str
    """The id of a member."""
    start: datetime = BEGIN
    end: datetime = END
    """Wanted are the plans of care in this time, up to and without `end`."""
    purpose: str | None = None
    """A code of v3-ActReason: that for which the caller may ask, or a kind of it; None for just that."""


@dataclass(frozen=True)
class Packet:
    """What was read, as of `moment`."""

    patient: str
    """Patient/id."""
    moment: datetime
    purpose: str | None
    periods: tuple[Span, ...]
    """The time that was asked for, as far as the caller covers it."""
    coverages: tuple[Row, ...]
    """The Coverages of the caller that are in force, as far as they are seen."""
    plans: tuple[Row, ...]
    """The plans of care in that time."""
    others: tuple[Row, ...]
    """All else, by type and id; the coverages are among it."""
    grounds: Mapping[Ground, int]
    withheld: Account

    @property
    def rows(self) -> tuple[Row, ...]:
        """The plans and all else."""
        return self.plans + self.others


def _untold(_: int) -> None:
    """Where nobody waits for progress."""


def packet(repository: Repository, sight: Sight | None, asked: Asked, *, in_full: bool = False, tell: Tell = _untold) -> Packet:
    """The packet of a member, as of one moment; `sight` is the caller's, None where nobody is asked who they are.

    `in_full`: with all that is withheld, for a privacy officer. Nothing is locked: the record is read again until two readings agree, so
    that what they tell was so at any moment between them. Raises NotApplicable for nobody and for a time outside of the cover, Forbidden
    for a purpose that is not the caller's, TooLarge, and Busy for a record that keeps changing.
    """
    moment, before = repository.clock(), None
    for _ in range(_TIMES):
        # A sight remembers what it learnt: a consent that is withdrawn between two readings is to be noticed.
        reading = _Reading(repository, sight and _for_purpose(sight, asked.purpose), asked, moment, tell)
        now = reading.packet(in_full=in_full)
        if now == before:
            return now
        before = now
    raise Busy("The record of this member keeps changing while it is read; try again.")


def _for_purpose(sight: Sight, purpose: str | None) -> Sight:
    if purpose and sight.viewer.purpose not in purposes(purpose):
        raise Forbidden("The purpose is neither that for which this caller may ask nor a kind of it.")
    return sight.again(purpose)


@dataclass(frozen=True)
class _Roots:
    """What a packet begins with."""

    plans: list[Row]
    coverages: list[Row]
    outside: int
    """How many plans are in the time that is asked for, and outside of the cover."""


class _Reading:
    """One reading of a member's record."""

    def __init__(self, repository: Repository, sight: Sight | None, asked: Asked, moment: datetime, tell: Tell) -> None:
        self._whole = Repository(sight.database, repository.clock) if sight else repository
        self._seen = seen_by(self._whole, sight) if sight else repository
        self._sight, self._asked, self._moment, self._tell = sight, asked, moment, tell
        self._patient = f"{PATIENT}/{of_reference(self._seen, asked.patient)}"
        self._periods = _within(self._cover(), (asked.start, asked.end))

    def packet(self, *, in_full: bool) -> Packet:
        """What is read. Raises NotApplicable for nobody."""
        reach, roots = self._reached(self._seen)
        consents = cards.consents(self._whole.database, self._patient) if self._sight else {}
        disclosed = self._sight.of([self._patient]).get(self._patient) if self._sight else None
        if self._sight and disclosed is None:
            nobody()
        plans = {named(row) for row in roots.plans}
        others = [row for reference, row in reach.rows.items() if reference not in plans]
        return Packet(
            patient=self._patient,
            moment=self._moment,
            purpose=self._asked.purpose or (self._sight.viewer.purpose if self._sight else None),
            periods=self._periods,
            coverages=tuple(roots.coverages),
            plans=tuple(roots.plans),
            others=tuple(sorted(others, key=lambda row: (row.type, row.id))),
            grounds=grounds(reach.rows.values(), disclosed, consents),
            withheld=self._account(reach, roots, disclosed, consents, in_full=in_full),
        )

    def _reached(self, repository: Repository) -> tuple[Reach, _Roots]:
        reach = Reach(repository, self._asked.patient, self._tell)
        wanted = _touching(reach.own(PLAN), [(self._asked.start, self._asked.end)])
        plans = _touching(wanted, self._periods)
        roots = _Roots(plans, [row for row in reach.own(COVERAGE) if self._covers(row)], len(wanted) - len(plans))
        reach.follow([*repository.rows(PATIENT, [self._asked.patient]), *roots.coverages, *plans])
        reach.follow(_touching(reach.work(plans), self._periods))
        reach.follow(reach.provenances(), record=False)
        return reach, roots

    def _account(self, reach: Reach, roots: _Roots, disclosed: Disclosure | None, consents: Mapping[str, Raw], *, in_full: bool) -> Account:
        if self._sight is None or disclosed is None:
            return {}
        policy = self._sight.policy
        if not in_full and policy.account == "own":
            return withheld.own(reach, policy, disclosed, roots.outside)
        whole, beside = self._reached(self._whole)
        account = withheld.in_full(reach, whole, policy, disclosed, consents, beside.outside)
        return account if in_full else withheld.undecided(account)

    def _cover(self) -> list[Span] | None:
        """When the caller covers the member; None where that is not why the member is seen."""
        found = self._sight.ties(self._patient) if self._sight else []
        paid = [(tie.low, tie.high) for tie in found if tie.way == PAYOR]
        glass = self._sight.viewer.glass if self._sight else frozenset()
        return paid if paid and len(paid) == len(found) and self._patient not in glass else None

    def _covers(self, row: Row) -> bool:
        """Whether a Coverage is the caller's and in force; of anybody's, where nobody is asked who they are."""
        held = [tie for tie in ties(parse(row.text)) if tie.holds(self._moment)]
        return any(self._sight is None or tie.to in self._sight.viewer.ties for tie in held)


def _within(cover: Iterable[Span] | None, asked: Span) -> tuple[Span, ...]:
    """The time that is asked for, as far as it is covered. Raises NotApplicable where none of it is."""
    low, high = asked
    spans = sorted({(max(low, start), min(high, end)) for start, end in ([asked] if cover is None else cover)})
    found = tuple((start, end) for start, end in spans if start < end)
    if not found:
        raise NotApplicable("The time that is asked for lies outside of the cover of this member.", expression=["period"])
    return found


def _touching(rows: Iterable[Row], periods: Iterable[Span]) -> list[Row]:
    """Those about care in one of these times; what says no time is of any."""
    dated = [(row, care(row)) for row in rows]
    return [row for row, (low, high) in dated if any(low < end and high > start for start, end in periods)]
