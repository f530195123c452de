"""`Measure/$evaluate-measure`: a measure of a period. http://hl7.org/fhir/R4/measure-operation-evaluate-measure.html"""

from datetime import date, timedelta
from typing import Any

from adapter.casework.measures import Period, definitions, evaluate
from adapter.casework.measures.definitions import measure
from adapter.casework.measures.report import Kind, measure_report
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir import references
from adapter.fhir.dates import span
from adapter.fhir.resource import Raw, dumps
from server.fhir.messages import Answer
from server.fhir.operations.call import Call

_KINDS: dict[str, Kind] = {"subject": "individual", "subject-list": "subject-list", "population": "summary"}
_DAY = timedelta(days=1)


def run(call: Call) -> Answer:
    """The MeasureReport. Raises NotFound for a measure that is not one of ours, Invalid."""
    inputs = call.inputs
    id = _stored(call, call.id) if call.id is not None else inputs.one("measure")
    if id is None:
        raise Invalid("$evaluate-measure needs the parameter measure.", expression=["measure"])
    subject = _subject(call, inputs.one("subject"))
    asked = inputs.one("reportType") or ("subject" if subject else "population")
    if asked not in _KINDS or (asked == "subject") != bool(subject):
        text = f"reportType is one of {', '.join(_KINDS)}; subject is for one client, who is named, and only for one."
        raise Invalid(text, expression=["reportType"])
    period = Period(_day(inputs.one("periodStart"), last=False), _day(inputs.one("periodEnd"), last=True))
    report = evaluate(call.repository, str(id), period, inputs.one("by"), subject=subject)
    return Answer(200, dumps(measure_report(report, _KINDS[asked], instant(call.repository.clock()))))


def _stored(call: Call, id: str) -> str:
    """The url of the Measure that somebody stored under this id, such as a copy of one of ours; the id itself where nobody did."""
    found = call.repository.find("Measure", id)
    return str(found.raw.get("url", id)) if found and not found.deleted else id


def published(id: str) -> Raw | None:
    """The Measure of that id; None where it is none of ours."""
    found = definitions().get(id)
    return measure(found) if found else None


def _subject(call: Call, text: Any) -> str | None:
    """The reference of a client who is here. Raises Invalid, NotFound, Gone."""
    if text is None:
        return None
    found = references.split(str(text).removeprefix(f"{call.request.base}/"))
    if not found or found[0] != "Patient":
        raise Invalid("The parameter subject is a reference such as Patient/id.", expression=["subject"])
    return call.repository.read("Patient", found[1]).reference


def _day(text: Any, *, last: bool) -> date:
    """The first or the last day that a date, which may be partial, can mean."""
    found = span(str(text))
    if found is None or "T" in str(text):
        raise Invalid("periodStart and periodEnd are dates.", expression=["periodEnd" if last else "periodStart"])
    return (found[1] - _DAY).date() if last else found[0].date()
