"""What is only computed from others: the scores of an instrument's answers, and the Observations that carry them to those who know us not.

Derived resources are tagged, have ids made from their source's, and are ignored when they come back: their source is what counts.
"""

from typing import Any
from uuid import UUID, uuid5

from adapter.care import instrument, scoring
from adapter.care.questionnaire import SYSTEMS, canonical
from adapter.config import CS
from adapter.errors import CasebridgeError
from adapter.fhir.resource import Raw, has_tag
from adapter.mapping.rules import Fields

DERIVED_TAG = {"system": f"{CS}/tag", "code": "derived", "display": "Derived from another resource"}
_INSTRUMENTS = {canonical(name): name for name in instrument.names()}
_STATUS = {"completed": "final", "amended": "amended", "in_progress": "preliminary"}
_SURVEY = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "survey", "display": "Survey"}


def computed(concept: str, fields: Fields) -> Fields:
    """The record's fields that follow from its other fields; empty where nothing does, or where the answers cannot be scored (V-07)."""
    if concept not in ("screening", "response"):
        return {}
    result = _score(fields)
    if result is None:
        return {}
    scores = [_entry(code, value, result) for code, value in _values(result)]
    found: Fields = {"scores": scores} if scores else {}
    if concept == "screening" and result.positive_domains:
        found["positive_needs"] = [{"domain": domain} for domain in result.positive_domains]
    return found


def derived(concept: str, id: str, type: str, fields: Fields) -> list[Raw]:
    """The resources that follow from a record, each with its id: one Observation per score."""
    result = _score(fields) if concept in ("screening", "response") else None
    if result is None or "client" not in fields or fields.get("status") not in _STATUS:
        return []
    return [_observation(code, value, result, id, type, fields) for code, value in _values(result)]


def is_derived(raw: Raw) -> bool:
    """Whether the resource says of itself that it was derived."""
    return has_tag(raw, DERIVED_TAG)


def _score(fields: Fields) -> scoring.Score | None:
    name = _INSTRUMENTS.get(str(fields.get("instrument", "")).partition("|")[0])
    if name is None:
        return None
    answers = {item["link_id"]: [_given(value) for value in item["values"]] for item in fields.get("answers", ())}
    try:
        return scoring.score(name, answers)
    except CasebridgeError:
        return None


def _given(value: Fields) -> Any:
    held = next(iter(value.values()))
    return held.get("code", held.get("value")) if isinstance(held, dict) else held


def _values(result: scoring.Score) -> list[tuple[str, int]]:
    """The total and the subtotals that could be made, by code."""
    found = instrument.load(result.instrument)
    codes = {part.name: part.code for part in found.scoring.subtotals}
    total = [(found.total, result.value)] if found.total else []
    parts = [(codes[name], value) for name, value in result.subtotals.items()]
    return [(code, value) for code, value in [*total, *parts] if value is not None]


def _entry(code: str, value: int, result: scoring.Score) -> Fields:
    band = {"band": result.band.band} if result.band and value == result.value else {}
    return {"name": code, "value": value, **band, "complete": result.complete}


def _observation(code: str, value: int, result: scoring.Score, id: str, type: str, fields: Fields) -> Raw:
    system = SYSTEMS[instrument.load(result.instrument).system]
    at = fields.get("completed_at") or fields.get("authored_at")
    raw: Raw = {
        "resourceType": "Observation",
        "id": str(uuid5(UUID(id), code)),
        "meta": {"tag": [dict(DERIVED_TAG)]},
        "status": _STATUS[fields["status"]],
        "category": [{"coding": [dict(_SURVEY)]}],
        "code": {"coding": [{"system": system, "code": code}], "text": f"{instrument.load(result.instrument).title}: score"},
        "subject": {"reference": fields["client"]},
        **({"effectiveDateTime": at} if at else {}),
        "valueQuantity": {"value": value, "unit": "score", "system": "http://unitsofmeasure.org", "code": "{score}"},
        "method": {"text": " ".join(filter(None, (result.instrument, result.version, result.method)))},
        "derivedFrom": [{"reference": f"{type}/{id}"}],
    }
    if result.band and value == result.value:
        raw["interpretation"] = [{"text": result.band.band}]
    return raw
