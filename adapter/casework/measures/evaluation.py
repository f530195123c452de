"""Measures, evaluated: the database finds and groups the figures of each client, the counts of `counting` are made of each group.

A figure is found by its kind and month, which are keys of the search index, and grouped by client in an aggregation, so that a sharded
cluster does it where the resources are. What is counted of a client is decided here, by the same functions for one client as for all.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from statistics import mean, median
from typing import Any

from adapter.care.follow_up import policy
from adapter.cases.figures import Figure
from adapter.cases.outcomes import share
from adapter.casework.measures.counting import GROUPS, Asked, Figures, Group, Period, Unit
from adapter.casework.measures.definitions import Definition, GroupDefinition, definition
from adapter.errors import Invalid
from adapter.store.documents import Document
from adapter.store.filters import KEY
from adapter.store.index import FIGURES
from adapter.store.repository import Repository

_FIGURE = f"fhir.index.{FIGURES}"
_BATCH = 200
# So many clients are looked up by their keys; for more, all cases are read once.
_FEW = 1000
_LONGEST = timedelta(days=366 * 20)
_PLACES = Decimal("0.01")
NONE = "none"
"""The stratum of what has no value to be divided by."""
BY = ("manager", "model", "tier", "month", "currency")


@dataclass
class Tally:
    """How many of an initial population are in the denominator and in the numerator; of a continuous variable its values."""

    initial: int = 0
    denominator: int = 0
    numerator: int = 0
    values: list[Decimal] = field(default_factory=list)
    expected: Decimal = Decimal(0)

    def add(self, unit: Unit) -> None:
        self.initial += 1
        self.denominator += unit.counted
        self.numerator += unit.counted and unit.hit
        if unit.value is not None:
            self.values.append(unit.value)
            self.expected += unit.expected or 0

    @property
    def rate(self) -> Decimal | None:
        """The numerator's share of the denominator, to four places."""
        return share(self.numerator, self.denominator)

    @property
    def statistics(self) -> dict[str, Decimal]:
        """Of the values, to two places: mean, median, minimum, maximum, sum; `saved`, the sum's share of what was expected, to four."""
        if not self.values:
            return {}
        makers: dict[str, Callable[[list[Decimal]], Decimal]] = {"mean": mean, "median": median, "minimum": min, "maximum": max}
        found = {name: Decimal(make(self.values)).quantize(_PLACES) for name, make in makers.items()}
        total = sum(self.values, Decimal(0))
        found["sum"] = total.quantize(_PLACES)
        return found | ({"saved": (total / self.expected).quantize(Decimal("0.0001"))} if self.expected else {})


@dataclass(frozen=True)
class Counted:
    """A group of a measure, counted."""

    definition: GroupDefinition
    whole: Tally
    strata: Mapping[str, Tally]
    """By the value of what it was divided by; what follows several models counts for each."""
    members: tuple[Unit, ...]
    """The numerator; of a continuous variable all that was observed. In order of day and reference."""


@dataclass(frozen=True)
class Report:
    """A measure of a period, as of a day."""

    measure: Definition
    period: Period
    by: str | None
    on: date
    subject: str | None
    """The client whose it is alone; None for all."""
    groups: tuple[Counted, ...]


def evaluate(repository: Repository, id: str, period: Period, by: str | None = None, *, subject: str | None = None) -> Report:
    """The measure of that id, of what belongs to a case (docs/measures.md). Raises NotFound, and Invalid for a period or `by` that is none.

    `by` is one of BY: the case's present manager, models and tier, the month, the currency. `subject` is a client's reference.
    """
    found = definition(id)
    if by is not None and by not in BY:
        raise Invalid(f"A measure is divided by one of {', '.join(BY)}.", expression=["by"])
    if period.start > period.end or period.end - period.start > _LONGEST:
        raise Invalid("A period starts before it ends, and is no longer than 20 years.", expression=["period"])
    asked = Asked(period, repository.clock().date(), policy().readmission_days)
    groups = tuple(_counted(repository, each, asked, by, subject) for each in found.groups)
    return Report(found, period, by, asked.today, subject, groups)


def _counted(repository: Repository, named: GroupDefinition, asked: Asked, by: str | None, subject: str | None) -> Counted:
    group = GROUPS[named.code]
    figures = _figures(repository, group, asked, subject)
    cases = _cases(repository, None if group.of_cases and subject is None else {subject} if subject else figures.keys())
    whole, strata, members = Tally(), defaultdict[str, Tally](Tally), []
    for client, own in cases.items():
        of_client: Figures = {**figures.get(client, {}), "case": own}
        for unit in group.count(of_client, asked):
            case = _case_of(unit, own)
            if case is None:
                continue
            whole.add(unit)
            for value in _strata(unit, case, by):
                strata[value].add(unit)
            if (unit.counted and unit.hit) or unit.value is not None:
                members.append(unit)
    ordered = sorted(members, key=lambda unit: (unit.day, unit.of))
    return Counted(named, whole, dict(sorted(strata.items())), tuple(ordered))


def _figures(repository: Repository, group: Group, asked: Asked, subject: str | None) -> dict[str, dict[str, list[Figure]]]:
    """By client and kind."""
    reach = timedelta(days=max(group.around, asked.window + 1))
    wider = Period(_moved(asked.period.start, -reach), _moved(asked.period.end, reach))
    found: dict[str, dict[str, list[Figure]]] = defaultdict(lambda: defaultdict(list))
    there = set(repository.types())
    for type, kind in group.kinds:
        keys = [f"{kind} {month}" for month in wider.months()]
        query: Document = {KEY: subject, f"{_FIGURE}.kind": kind} if subject else {KEY: {"$in": keys}}
        for row in repository.collection(type).aggregate(_grouped(query)) if type in there else ():
            found[row["_id"]][kind] += row["figures"]
    return found


def _grouped(query: Document) -> list[Document]:
    """Find figures, and group them by client."""
    return [
        {"$match": query},
        {"$unwind": f"${_FIGURE}"},
        {"$group": {"_id": f"${_FIGURE}.client", "figures": {"$push": f"${_FIGURE}"}}},
    ]


def _moved(day: date, by: timedelta) -> date:
    """The day moved, within what a date can say."""
    return date.fromordinal(min(max(day.toordinal() + by.days, date.min.toordinal()), date.max.toordinal()))


def _cases(repository: Repository, clients: Collection[str] | None) -> dict[str, list[Figure]]:
    """The figures of the cases of these clients, or of all, with their tiers, by client."""
    found: dict[str, list[Figure]] = defaultdict(list)
    for query in _case_queries(clients):
        shown = {"_id": 0, "figure": {"$first": f"${_FIGURE}"}, "tier": "$local.tier"}
        for row in repository.collection("EpisodeOfCare").aggregate([{"$match": query}, {"$project": shown}]):
            if figure := row.get("figure"):
                found[figure["client"]].append({**figure, "tier": row.get("tier")})
    return found


def _case_queries(clients: Collection[str] | None) -> Iterable[Document]:
    if clients is None or len(clients) > _FEW:
        return [{"concept": "case"}]
    listed = sorted(clients)
    return [{KEY: {"$in": listed[at : at + _BATCH]}, "concept": "case"} for at in range(0, len(listed), _BATCH)]


def _case_of(unit: Unit, cases: list[Figure]) -> Figure | None:
    """The case that a unit names, else the one that was open on its day, the latest of several."""
    if unit.case is not None:
        return next((case for case in cases if case["of"] == unit.case), None)
    opened = [case for case in cases if case.get("opened", "9999") <= unit.day <= case.get("closed", "9999")]
    return max(opened, key=lambda case: (case["opened"], case["of"]), default=None)


def _strata(unit: Unit, case: Figure, by: str | None) -> Iterator[str]:
    if by is None:
        return
    values: dict[str, Any] = {"manager": case.get("manager"), "tier": case.get("tier"), "month": unit.day[:7], "currency": unit.currency}
    if by == "model":
        yield from case.get("models") or [NONE]
    else:
        yield values[by] or NONE
