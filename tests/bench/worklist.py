"""Whether a worklist and a caseload take as long among 100,000 cases as among 1,000; and the readmission measure over all of them."""

import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

from adapter.casework import worklist
from adapter.casework.desk import Actor, Desk
from adapter.casework.measures import Period, evaluate
from adapter.mapping.registry import faces
from adapter.store.documents import Change, Document
from adapter.store.repository import Repository
from adapter.store.versions import kept, made_by
from tests.bench.figures import Figure, Report
from tests.bench.sides import store

SIZES = (1_000, 10_000, 100_000)
FLAT = 1.5
_CASELOAD = 20
_ASKED = 40
"""How many managers are asked of, at each size: the same ones."""
_BATCH = 2_000
_NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
# So many days after the discharge the client is back; every tenth is, half of them too late to count.
_BACK = (30, 31)


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """The store grows from size to size, and every manager has 20 cases throughout; each round asks for each list of 40 of them."""
    lists: dict[int, list[float]] = {size: [] for size in SIZES}
    views: dict[int, list[float]] = {size: [] for size in SIZES}
    faults: list[str] = []
    with store() as client:
        repository = Repository(client[f"bench_{uuid4().hex}"], lambda: _NOW)
        done = 0
        for size in SIZES:
            say(f"worklist: {size:,} cases are made")
            _fill(repository, range(done, size))
            done = size
            for turn in range(rounds + 1):
                due, caseload, wrong = _ask(repository)
                faults += wrong
                if turn:
                    lists[size].append(due)
                    views[size].append(caseload)
        say(f"worklist: the readmission measure over {done:,} cases")
        took, by_manager, rate = _measure(repository)
        if rate != (done, done // 10 // 2):
            faults.append(f"the measure counts {rate}")
    first, last = SIZES[0], SIZES[-1]
    figures = [
        Figure(f"{name}, p95 with {size:,} cases", "ms", found[size])
        for name, found in (("worklist", lists), ("caseload", views))
        for size in SIZES
    ]
    figures += [
        Figure(
            f"{name}, p95 with {last:,} to that with {first:,}",
            "times",
            [statistics.median(found[last]) / statistics.median(found[first])],
            FLAT,
        )
        for name, found in (("worklist", lists), ("caseload", views))
    ]
    figures += [
        Figure(f"readmission measure over {last:,} cases", "s", [took]),
        Figure("the same by manager", "s", [by_manager]),
    ]
    what = f"{_ASKED} managers of {_CASELOAD} open cases, each with a contact; a stay each, every tenth with a second; a new database"
    return [Report("Worklists and caseloads, and how many cases others have", what, figures, faults)]


def _ask(repository: Repository) -> tuple[float, float, list[str]]:
    """The 95th percentiles, in ms, of both views."""
    desk = Desk(repository, Actor("Practitioner/bench"), lambda: _NOW)
    due, caseload, wrong = [], [], []
    for number in range(_ASKED):
        began = time.perf_counter()
        rows = worklist.due(desk, f"Practitioner/m{number}")
        middle = time.perf_counter()
        cases = worklist.caseload(desk, f"Practitioner/m{number}")
        due.append((middle - began) * 1000)
        caseload.append((time.perf_counter() - middle) * 1000)
        if (len(rows), len(cases)) != (_CASELOAD, _CASELOAD):
            wrong.append(f"a manager has {len(rows)} rows and {len(cases)} cases, not {_CASELOAD}")
    return _p95(due), _p95(caseload), wrong


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _measure(repository: Repository) -> tuple[float, float, tuple[int, int]]:
    period = Period(date(2026, 1, 1), date(2026, 1, 31))
    began = time.perf_counter()
    [group] = evaluate(repository, "readmission-30-days", period).groups
    middle = time.perf_counter()
    evaluate(repository, "readmission-30-days", period, "manager")
    return middle - began, time.perf_counter() - middle, (group.whole.initial, group.whole.numerator)


def _fill(repository: Repository, numbers: range) -> None:
    for start in range(numbers.start, numbers.stop, _BATCH):
        by_type: dict[str, list[Document]] = {}
        for number in range(start, min(start + _BATCH, numbers.stop)):
            for concept, id, fields in _records(number):
                for mapping in faces(concept, fields):
                    own = {name: fields[name] for name in mapping.attrs if name in fields}
                    change = Change(mapping.type, id, mapping.overlay(None, own), 0, local={"tier": "high", "priority_score": 10})
                    if number:
                        by_type.setdefault(mapping.type, []).append(kept(made_by(change, None, _NOW, [])))
                    else:
                        repository.commit([change])  # so that the store knows of the type
        for type, documents in by_type.items():
            repository.collection(type).insert_many(documents)


def _records(number: int) -> Iterator[tuple[str, str, dict[str, object]]]:
    client, case = f"Patient/p{number}", f"EpisodeOfCare/c{number}"
    opened = "2026-01-01T09:00:00Z"
    yield (
        "case",
        f"c{number}",
        {
            "client": client,
            "case_number": f"N-{number}",
            "case_type": "general",
            "models": [{"model": "clinical", "primary": True, "period": {"start": opened}}],
            "case_manager": f"Practitioner/m{number // _CASELOAD}",
            "status": "active",
            "step": "follow_up",
            "opened_at": opened,
            "status_history": [{"step": "follow_up", "status": "active", "period": {"start": opened}}],
        },
    )
    contact = {
        "client": client,
        "case": case,
        "type": "call",
        "source": "client",
        "status": "completed",
        "occurred_at": "2026-02-27T09:00:00Z",
    }
    yield "follow_up", f"f{number}", contact
    discharge = date(2026, 1, 2 + number % 28)
    yield "encounter", f"s{number}", _stay(client, case, discharge - timedelta(days=5), discharge)
    if number % 10 == 0:
        yield "encounter", f"r{number}", _stay(client, case, discharge + timedelta(days=_BACK[number // 10 % 2]), None)


def _stay(client: str, case: str, start: date, end: date | None) -> dict[str, object]:
    kind = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    period = {"start": start.isoformat()} | ({"end": end.isoformat()} if end else {})
    status = "finished" if end else "in_progress"
    return {"client": client, "case": case, "status": status, "encounter_class": kind, "period": period}
