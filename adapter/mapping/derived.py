"""What is only computed from others: the scores of an instrument's answers, and the Observations that carry them to those who know us not.

Derived resources are tagged, have ids made from their source's, and are ignored when they come back: their source is what counts.
"""

from collections.abc import Iterator
from uuid import NAMESPACE_URL, UUID, uuid5

from adapter.care import instrument, scoring
from adapter.care.need import CATEGORIES
from adapter.care.questionnaire import SYSTEMS
from adapter.cases.needs import shown
from adapter.cases.scored import scored
from adapter.cases.screening import Screening
from adapter.config import BASE, CS
from adapter.errors import CasebridgeError
from adapter.fhir.resource import Raw, has_tag
from adapter.mapping.measurement import VALUE
from adapter.mapping.readings import Reading, readings
from adapter.mapping.rules import Fields

DERIVED_TAG = {"system": f"{CS}/tag", "code": "derived", "display": "Derived from another resource"}
_VALUES = {rule.attr for rule in VALUE.options}
_STATUS = {"completed": "final", "amended": "amended", "in_progress": "preliminary"}
SDOH = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "sdoh", "display": "SDOH"}
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
        found["positive_needs"] = _needs(result)
    return found


def _needs(result: scoring.Score) -> list[Fields]:
    """By domain, the items that show the need; domains for which a record has no word are one, `other`."""
    words = Screening.enumerations()["positive_needs.domain"]
    found: dict[str, list[str]] = {}
    for domain in instrument.load(result.instrument).scoring.domains:
        if domain.domain in result.positive_domains:
            shows = [link_id for link_id in domain.items if result.points.get(link_id)]
            found.setdefault(domain.domain if domain.domain in words else "other", []).extend(shows)
    return [{"domain": word, "evidence_link_ids": link_ids} for word, link_ids in found.items()]


def derived(concept: str, id: str, type: str, fields: Fields) -> list[Raw]:
    """The resources that follow from a record, each with its id: an Observation per score, per answer that shows a need, per reading."""
    if concept not in ("screening", "response"):
        return [
            {"resourceType": each.type, "id": _reading_id(id, each), "meta": {"tag": [dict(DERIVED_TAG)]}, **raw}
            for each, raw in readings(concept, _whose(concept, id, fields))
            if raw
        ]
    result = _score(fields)
    if result is None or "client" not in fields or fields.get("status") not in _STATUS:
        return []
    scores = [_observation(code, value, result, id, type, fields) for code, value in _values(result)]
    return [*scores, *(_answer(*each, result, id, type, fields) for each in _showing(id, fields))]


def unfounded(concept: str, id: str, fields: Fields) -> list[tuple[str, str]]:
    """Type and id of the readings that do not follow from a record as it is now; an earlier version of it may have left them."""
    return [(each.type, _reading_id(id, each)) for each, raw in readings(concept, _whose(concept, id, fields)) if raw is None]


def _whose(concept: str, id: str, fields: Fields) -> Fields:
    """The fields with the person that they are about, which a person's own record does not say."""
    itself = {"client": {"client": f"Patient/{id}"}, "support_person": {"person": f"RelatedPerson/{id}"}}
    return itself.get(concept, {}) | fields


def _reading_id(id: str, reading: Reading) -> str:
    return str(uuid5(namespace(id), f"reading/{reading.slot}"))


def is_derived(raw: Raw) -> bool:
    """Whether the resource says of itself that it was derived."""
    return has_tag(raw, DERIVED_TAG)


def _score(fields: Fields) -> scoring.Score | None:
    try:
        return scored(fields)
    except CasebridgeError:
        return None


def answer_ids(id: str, link_id: str, count: int) -> list[str]:
    """The ids of the Observations that carry the answers to an item of the response `id`."""
    return [str(uuid5(namespace(id), f"answer/{link_id}/{place}")) for place in range(count)]


def namespace(id: str) -> UUID:
    """What the ids of what is derived are made from: the source's id where it is a UUID, as those made here are."""
    try:
        return UUID(id)
    except ValueError:
        return uuid5(NAMESPACE_URL, f"{BASE}/QuestionnaireResponse/{id}")


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


def _showing(id: str, fields: Fields) -> Iterator[tuple[str, str, Fields, str]]:
    """Of each answer that shows a need: the id of its Observation, its linkId, its value and the need's category."""
    answers = {item["link_id"]: item["values"] for item in fields.get("answers", ())}
    for each in shown(fields):
        for link_id in each.link_ids:
            for made, value in zip(answer_ids(id, link_id, len(answers[link_id])), answers[link_id], strict=True):
                if value.keys() <= _VALUES:
                    yield made, link_id, value, each.need.category


def _answer(made: str, link_id: str, value: Fields, category: str, result: scoring.Score, id: str, type: str, fields: Fields) -> Raw:
    """http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-ObservationScreeningResponse"""
    asked = instrument.load(result.instrument)
    item = next(item for item in asked.items if item.link_id == link_id)
    raw: Raw = {
        **_head(made, id, type, fields),
        "category": [{"coding": [dict(each)]} for each in (_SURVEY, SDOH, {"system": CATEGORIES, "code": category})],
        "code": {"coding": [{"system": SYSTEMS[item.system or asked.system], "code": link_id}], "text": item.text},
    }
    VALUE.write(raw, value)
    return raw


def _head(made: str, id: str, type: str, fields: Fields) -> Raw:
    at = fields.get("completed_at") or fields.get("authored_at")
    return {
        "resourceType": "Observation",
        "id": made,
        "meta": {"tag": [dict(DERIVED_TAG)]},
        "status": _STATUS[fields["status"]],
        "subject": {"reference": fields["client"]},
        **({"effectiveDateTime": at} if at else {}),
        "derivedFrom": [{"reference": f"{type}/{id}"}],
    }


def _observation(code: str, value: int, result: scoring.Score, id: str, type: str, fields: Fields) -> Raw:
    asked = instrument.load(result.instrument)
    raw: Raw = {
        **_head(str(uuid5(namespace(id), code)), id, type, fields),
        "category": [{"coding": [dict(_SURVEY)]}],
        "code": {"coding": [{"system": SYSTEMS[asked.system], "code": code}], "text": f"{asked.title}: score"},
        "valueQuantity": {"value": value, "unit": "score", "system": "http://unitsofmeasure.org", "code": "{score}"},
        "method": {"text": " ".join(filter(None, (result.instrument, result.version, result.method)))},
    }
    if result.band and value == result.value:
        raw["interpretation"] = [{"text": result.band.band}]
    return raw
