"""What a case manager has to do, and for whom first; and the view of their caseload.

All of it is looked up by key: the manager's cases and tasks, then what hangs on those cases. How many cases others have costs nothing
(docs/follow-up.md).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from adapter.care.follow_up import policy
from adapter.cases.facts import day, latest, moment
from adapter.cases.record import Fields
from adapter.cases.schedule import Due, dues
from adapter.casework.desk import Desk
from adapter.casework.facts import open_cases
from adapter.errors import NotFound
from adapter.store import query
from adapter.store.filters import KEY
from adapter.store.repository import Repository

OPEN_TASK = ("draft", "requested", "received", "accepted", "ready", "in_progress", "on_hold")
_URGENT = frozenset({"urgent", "asap", "stat"})
AHEAD = timedelta(days=7)
"""What is due in this time is in the list of what is due."""
_FAR = date(9999, 12, 31)


@dataclass(frozen=True)
class CaseRow:
    """A case of a caseload (C-18)."""

    case: str
    case_number: str
    client: str
    step: str | None
    models: tuple[str, ...]
    tier: str | None
    priority_score: int
    urgent_flags: tuple[str, ...]
    """Of its latest risk evaluation."""
    referred_at: str
    next_due: date | None
    """The earliest day of anything that is due in it."""

    @property
    def rank(self) -> tuple[bool, int, str, str]:
        """The order of worklists (DOMAIN §3.7): urgent flags, the higher priority, the earlier referral, the case number."""
        return not self.urgent_flags, -self.priority_score, self.referred_at, self.case_number


@dataclass(frozen=True)
class Row:
    """Something to be done until the end of a day."""

    about: CaseRow | None
    """Its case; None for a task that belongs to no open case of the manager's."""
    what: str
    """contact, step or service, as in schedule.Due; or task."""
    reference: str
    """The task, else the case."""
    source: str
    """Of a contact: with whom. Of a task: the code of its kind, where it has one."""
    due: date | None
    overdue_days: int
    urgent: bool
    """Whether the task is, or its case has an urgent flag."""


def due(desk: Desk, manager: str, kind: str = "due") -> list[Row]:
    """What a case manager has to do. Raises NotFound for a list that there is not.

    `due`: what was or is due until a week from now, cases with an urgent flag first (DOMAIN §3.7). `overdue`: whose day has passed, the
    oldest first (C-12). `urgent`: urgent tasks, and all that is open in cases with an urgent flag.
    """
    if kind not in LISTS:
        raise NotFound(f"There is no such worklist; there are {', '.join(LISTS)}.", expression=["kind"])
    today = desk.clock().date()
    chosen, order = LISTS[kind]
    return sorted((row for row in _rows(desk, manager, today) if chosen(row, today)), key=order)


def caseload(desk: Desk, manager: str) -> list[CaseRow]:
    """The open cases of a case manager, in the order in which they need attention (C-18)."""
    cases, dated = _looked_up(desk, manager)
    tasks = defaultdict(list)
    for _, task in _tasks(desk.repository, manager):
        tasks[task.get("case")].append(task)
    flags = _urgent_flags(desk.repository, cases)
    rows = (_case_row(reference, fields, dated[reference], tasks[reference], flags) for reference, fields in cases.items())
    return sorted(rows, key=lambda row: row.rank)


def _rows(desk: Desk, manager: str, today: date) -> Iterable[Row]:
    cases, dated = _looked_up(desk, manager)
    flags = _urgent_flags(desk.repository, cases)
    about = {reference: _case_row(reference, fields, dated[reference], [], flags) for reference, fields in cases.items()}
    for reference, row in about.items():
        for each in dated[reference]:
            yield Row(row, each.kind, reference, each.source, each.day, max(0, (today - each.day).days), bool(row.urgent_flags))
    of_client = {row.client: row for row in about.values()}
    for reference, task in _tasks(desk.repository, manager):
        case = about.get(task["case"]) if "case" in task else of_client.get(task.get("client", ""))
        until = day(task["due"]) if "due" in task else None
        late = max(0, (today - until).days) if until else 0
        urgent = task.get("priority") in _URGENT or bool(case and case.urgent_flags)
        yield Row(case, "task", reference, str(task.get("code", {}).get("code", "")), until, late, urgent)


def _looked_up(desk: Desk, manager: str) -> tuple[dict[str, Fields], dict[str, list[Due]]]:
    """The manager's open cases, and what is due in each."""
    cases, at, by = open_cases(desk.repository, manager), desk.now(), policy()
    contacts = contacts_of(desk.repository, cases)
    return cases, {reference: dues(fields, contacts[reference], at, by) for reference, fields in cases.items()}


def contacts_of(repository: Repository, cases: Iterable[str]) -> Mapping[str, list[Fields]]:
    """The follow-ups of these cases, by case."""
    found: dict[str, list[Fields]] = defaultdict(list)
    if listed := list(cases):
        for stored in repository.scan("Encounter", {KEY: {"$in": listed}, "concept": "follow_up"}):
            found[stored.record["case"]].append(stored.record)
    return found


def _tasks(repository: Repository, manager: str) -> Iterable[tuple[str, Fields]]:
    words = ",".join(status.replace("_", "-") for status in OPEN_TASK)
    for stored in repository.scan("Task", query.parse("Task", [("owner", manager), ("status", words)]).filter):
        if stored.concept == "task":
            yield stored.reference, stored.record


def _urgent_flags(repository: Repository, cases: Mapping[str, Fields]) -> Mapping[str, tuple[str, ...]]:
    """The urgent flags of each case's latest risk evaluation."""
    clients = {fields["client"] for fields in cases.values()}
    found: dict[str, dict[str, Fields]] = defaultdict(dict)
    if clients:
        for stored in repository.scan("RiskAssessment", {KEY: {"$in": [*clients]}, "concept": "risk_evaluation"}):
            if stored.record.get("status") in ("final", "amended"):
                found[stored.record.get("case", "")][stored.reference] = stored.record
    return {case: tuple(latest(several, "at").get("urgent_flags", ())) for case, several in found.items()}


def _case_row(reference: str, case: Fields, dated: list[Due], tasks: list[Fields], flags: Mapping[str, tuple[str, ...]]) -> CaseRow:
    days = [each.day for each in dated] + [day(task["due"]) for task in tasks if "due" in task]
    return CaseRow(
        case=reference,
        case_number=case["case_number"],
        client=case["client"],
        step=case.get("step"),
        models=tuple(model["model"] for model in case.get("models", [])),
        tier=case.get("tier"),
        priority_score=int(case.get("priority_score", 0)),
        urgent_flags=flags.get(reference, ()),
        referred_at=moment(case["opened_at"]).isoformat() if "opened_at" in case else "",
        next_due=min(days, default=None),
    )


def _by_attention(row: Row) -> tuple[bool, tuple[bool, int, str, str], date, str]:
    rank = row.about.rank if row.about else (True, 0, "", "")
    return not row.urgent, rank, row.due or _FAR, row.reference


def _oldest(row: Row) -> tuple[date, bool, tuple[bool, int, str, str], date, str]:
    return row.due or _FAR, *_by_attention(row)


LISTS: dict[str, tuple[Callable[[Row, date], bool], Callable[[Row], Any]]] = {
    "due": (lambda row, today: row.due is not None and row.due <= today + AHEAD, _by_attention),
    "overdue": (lambda row, today: row.due is not None and row.due < today, _oldest),
    "urgent": (lambda row, _: row.urgent, _by_attention),
}
"""By name: what is in the list, and its order."""
