"""What the records of a case say about its risk: a proposed level for each factor with its evidence, for a person to look over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from adapter.care.blood_pressure import category
from adapter.care.risk import LEVEL_NAMES, Fact, evaluate, policy
from adapter.care.scoring import Score
from adapter.cases.facts import Facts, day, moment
from adapter.cases.record import Fields
from adapter.cases.scored import scored
from adapter.cases.stays import INPATIENT
from adapter.errors import CasebridgeError

_TOTALS = frozenset({"charlson", "phq9", "gad7", "lace", "katz", "steadi"})
_SUICIDE_ITEM = "44260-8"
_HITS = "hits"
_RECENT = timedelta(days=30)
_PRESSURE, _SYSTOLIC, _DIASTOLIC = "85354-9", "8480-6", "8462-4"


@dataclass(frozen=True)
class Weighed:
    """A factor's proposed level, the records that it rests on, and from what it follows."""

    kind: str
    level: str
    evidence: tuple[str, ...]
    method: str


@dataclass(frozen=True)
class Proposal:
    """The factors that something is known of, in the policy's order, and the urgent flags that the facts raise."""

    factors: tuple[Weighed, ...]
    urgent_flags: tuple[str, ...]


def weighed(facts: Facts, today: str) -> Proposal:
    """The proposal of the policy in force, from the latest answers, measurements and stays of the case; `today` is a date."""
    known: dict[str, tuple[Fact, str]] = {name: (fact, reference) for name, fact, reference in _known(facts, today)}
    found = evaluate({name: fact for name, (fact, _) in known.items()})
    factors = []
    for factor in policy().factors:
        used = [rule.fact for rule in factor.rules if rule.fact in known]
        if factor.kind in found.levels:
            evidence = tuple(dict.fromkeys(known[name][1] for name in used))
            factors.append(Weighed(factor.kind, LEVEL_NAMES[found.levels[factor.kind]], evidence, _method(used, known)))
    return Proposal(tuple(factors), tuple(dict.fromkeys(found.urgent_flags)))


def _method(used: list[str], known: dict[str, tuple[Fact, str]]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_said(known[name][0])}" for name in used)


def _said(fact: Fact) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return str(fact).replace("_", " ") if isinstance(fact, int | str) else ", ".join(sorted(fact)) or "none"


def _known(facts: Facts, today: str) -> Iterator[tuple[str, Fact, str]]:
    """Fact, value and record; of several records of a kind the latest comes last and counts."""
    yield from _of_answers(facts)
    yield from _of_pressure(facts)
    yield from _of_stays(facts, today)


def _of_answers(facts: Facts) -> Iterator[tuple[str, Fact, str]]:
    rows = [*facts.of("screening").items(), *facts.of("response").items()]
    for reference, fields in sorted(rows, key=lambda row: moment(row[1].get("authored_at", row[1].get("completed_at", "0001")))):
        result = _score(fields)
        if result is None or fields["status"] not in ("completed", "amended"):
            continue
        if result.instrument in _TOTALS and result.value is not None:
            yield result.instrument, result.value, reference
        if _SUICIDE_ITEM in result.points:
            yield "phq9_item_9", result.points[_SUICIDE_ITEM], reference
        if (hits := result.subtotals.get(_HITS)) is not None:
            yield _HITS, hits, reference
        if result.instrument == "ahc_hrsn":
            yield "positive_domains", tuple(result.positive_domains), reference


def _score(fields: Fields) -> Score | None:
    try:
        return scored(fields)
    except CasebridgeError:
        return None


def _of_pressure(facts: Facts) -> Iterator[tuple[str, Fact, str]]:
    rows = [(key, fields) for key, fields in facts.of("measurement").items() if fields["code"].get("code") == _PRESSURE]
    for reference, fields in sorted(rows, key=lambda row: moment(row[1].get("effective", {}).get("date_time", "0001"))):
        values = {part["code"].get("code"): part.get("value", {}).get("quantity", {}) for part in fields.get("components", [])}
        systolic, diastolic = (values.get(code, {}).get("value") for code in (_SYSTOLIC, _DIASTOLIC))
        if systolic is None or diastolic is None:
            continue
        try:
            yield "blood_pressure", category(systolic, diastolic), reference
        except CasebridgeError:
            continue


def _of_stays(facts: Facts, today: str) -> Iterator[tuple[str, Fact, str]]:
    """Whether an inpatient stay ended in the last 30 days, or has not ended yet."""
    for reference, fields in facts.of("encounter").items():
        if fields["encounter_class"].get("code") not in INPATIENT or fields["status"] in ("cancelled", "entered_in_error", "planned"):
            continue
        end = fields.get("period", {}).get("end")
        if end is None or day(today) - day(end) <= _RECENT:
            yield "recent_inpatient", True, reference
