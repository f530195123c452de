"""A measure's report as a FHIR MeasureReport, as JSON and as CSV. http://hl7.org/fhir/R4/measurereport.html"""

import csv
import io
from collections.abc import Iterator
from typing import Any, Literal

from adapter.casework.measures.counting import Unit
from adapter.casework.measures.definitions import VERSION, Definition, population
from adapter.casework.measures.evaluation import Counted, Report, Tally
from adapter.fhir.resource import Raw

Kind = Literal["summary", "individual", "subject-list"]
_CURRENCY, _UCUM = "urn:iso:std:iso:4217", "http://unitsofmeasure.org"
_STATISTICS = ("mean", "median", "minimum", "maximum", "sum", "saved")
COLUMNS = ("measure", "group", "by", "stratum", "initial", "denominator", "numerator", "rate", *_STATISTICS, "start", "end", "as_of")


def measure_report(report: Report, kind: Kind, at: str) -> Raw:
    """The report as a resource that is not stored. A subject list names the members of each numerator in a contained List."""
    raw: Raw = {
        "resourceType": "MeasureReport",
        "status": "complete",
        "type": kind,
        "measure": f"{report.measure.url}|{VERSION}",
        "date": at,
        "period": {"start": report.period.start.isoformat(), "end": report.period.end.isoformat()},
    }
    if report.subject:
        raw["subject"] = {"reference": report.subject}
    lists = [_list(each) for each in report.groups if each.members] if kind == "subject-list" else []
    listed = {each["id"] for each in lists}
    groups = [_group(report, each, listed) for each in report.groups]
    return {"resourceType": "MeasureReport", **({"contained": lists} if lists else {}), **raw, "group": groups}


def _list(group: Counted) -> Raw:
    entries = [{"item": {"reference": unit.of}} for unit in group.members]
    return {"resourceType": "List", "id": group.definition.code, "status": "current", "mode": "snapshot", "entry": entries}


def _group(report: Report, group: Counted, listed: set[str]) -> Raw:
    raw: Raw = {"code": {"text": group.definition.code}, **_counts(report.measure, group.whole, _currencies(group.members))}
    if group.definition.code in listed:
        raw["population"][2]["subjectResults"] = {"reference": f"#{group.definition.code}"}
    if group.strata:
        strata = [
            {"value": {"text": value}, **_counts(report.measure, tally, {value} if report.by == "currency" else set())}
            for value, tally in group.strata.items()
        ]
        raw["stratifier"] = [{"code": [{"text": report.by}], "stratum": strata}]
    return raw


def _counts(measure: Definition, tally: Tally, currencies: set[str]) -> Raw:
    counts = (tally.initial, tally.denominator, len(tally.values) if measure.scoring == "continuous-variable" else tally.numerator)
    populations = [{"code": population(code), "count": count} for code, count in zip(measure.populations, counts, strict=True)]
    score = _score(measure, tally, currencies)
    return {"population": populations, **({"measureScore": score} if score else {})}


def _score(measure: Definition, tally: Tally, currencies: set[str]) -> Raw | None:
    """The rate; of a continuous variable the mean, and none of amounts in several currencies."""
    if measure.scoring == "proportion":
        return {"value": tally.rate} if tally.rate is not None else None
    if not tally.values or len(currencies) > 1:
        return None
    [unit] = currencies or {measure.unit}
    system = _UCUM if unit == measure.unit else _CURRENCY
    return {"value": tally.statistics["mean"], **({"unit": unit, "system": system, "code": unit} if unit else {})}


def _currencies(members: tuple[Unit, ...]) -> set[str]:
    return {unit.currency for unit in members if unit.currency}


def as_json(report: Report, *, members: bool = False) -> dict[str, Any]:
    """The report as plain values; with the members of each numerator where they are asked for."""
    return {
        "measure": report.measure.id,
        "title": report.measure.title,
        "scoring": report.measure.scoring,
        "period": {"start": report.period.start.isoformat(), "end": report.period.end.isoformat()},
        "as_of": report.on.isoformat(),
        **({"by": report.by} if report.by else {}),
        **({"subject": report.subject} if report.subject else {}),
        "groups": [
            {
                "group": each.definition.code,
                **_plain(each.whole),
                **({"strata": {value: _plain(tally) for value, tally in each.strata.items()}} if report.by else {}),
                **({"members": [{"of": unit.of, "day": unit.day} for unit in each.members]} if members else {}),
            }
            for each in report.groups
        ],
    }


def _plain(tally: Tally) -> dict[str, Any]:
    counts: dict[str, Any] = {"initial": tally.initial, "denominator": tally.denominator, "numerator": tally.numerator}
    return counts | ({"rate": tally.rate} if tally.rate is not None and not tally.values else {}) | tally.statistics


def as_csv(report: Report) -> str:
    """One row for each group, and one for each of its strata; RFC 4180."""
    text = io.StringIO()
    rows = csv.DictWriter(text, COLUMNS, restval="")
    rows.writeheader()
    rows.writerows(_rows(report))
    return text.getvalue()


def _rows(report: Report) -> Iterator[dict[str, Any]]:
    span = {"start": report.period.start.isoformat(), "end": report.period.end.isoformat(), "as_of": report.on.isoformat()}
    for each in report.groups:
        for value, tally in [("", each.whole), *each.strata.items()]:
            named = {"measure": report.measure.id, "group": each.definition.code, "by": report.by or "", "stratum": value}
            yield named | _plain(tally) | span
