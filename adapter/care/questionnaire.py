"""An instrument as a FHIR R4 Questionnaire, a plain dict: http://hl7.org/fhir/R4/questionnaire.html

linkIds are the items' codes, so that an answer is found again by (instrument, item). The same LOINC item carries different answer
lists in AHC-HRSN and in PRAPARE; the item's code alone does not say which list it is.
"""

from typing import Any

from adapter.care.instrument import Answer, Instrument, Item, System, load
from adapter.config import BASE, CS


class _Systems(dict[System, str]):
    def __missing__(self, system: System) -> str:
        return system


SYSTEMS = _Systems({"loinc": "http://loinc.org", "local": f"{CS}/instrument-score"})
"""The url of a code system by the name that instruments use; a url stands for itself."""

_CORE = "http://hl7.org/fhir/StructureDefinition"


def canonical(instrument_id: str) -> str:
    """The url of the instrument's Questionnaire. Raises NotFound and Invalid as `adapter.care.instrument.load` does."""
    return load(instrument_id).url or f"{BASE}/Questionnaire/{_fhir_id(instrument_id)}"


def _fhir_id(instrument_id: str) -> str:
    """The id of the Questionnaire: a FHIR id may not have an underscore."""
    return instrument_id.replace("_", "-")


def questionnaire(instrument_id: str, method: str | None = None) -> dict[str, Any]:
    """The instrument's Questionnaire, active, to be read and filled in; answers that count have their ordinalValue.

    Raises NotFound and Invalid as `adapter.care.instrument.load` does.
    """
    instrument = load(instrument_id, method)
    return {
        "resourceType": "Questionnaire",
        "id": _fhir_id(instrument.id),
        "url": canonical(instrument.id),
        "version": instrument.version,
        "name": "".join(part.capitalize() for part in instrument.id.split("_")),
        "title": instrument.title,
        "status": "active",
        "subjectType": ["Patient"],
        "copyright": instrument.licence,
        "code": [{"system": SYSTEMS[instrument.system], "code": instrument.panel, "display": instrument.title}, *_also(instrument)],
        "item": [_item(instrument, item) for item in instrument.items],
    }


def _also(instrument: Instrument) -> list[dict[str, Any]]:
    return [{"system": each.system, "code": each.code, "display": each.display} for each in instrument.codings]


def _item(instrument: Instrument, item: Item) -> dict[str, Any]:
    system = SYSTEMS[item.system or instrument.system]
    scoring = instrument.scoring
    counts = item.link_id in scoring.items or any(item.link_id in part.items for part in scoring.subtotals)
    made: dict[str, Any] = {
        "extension": _limits(item),
        "linkId": item.link_id,
        "code": [{"system": system, "code": item.link_id}],
        "text": item.text,
        "type": item.type,
        "enableWhen": _enable_when(instrument, item),
        "required": item.required,
        "repeats": item.repeats,
        "answerOption": [_option(system, answer, counts=counts) for answer in item.answers],
    }
    return {key: value for key, value in made.items() if value != []}


def _limits(item: Item) -> list[dict[str, Any]]:
    value = f"value{item.type.capitalize()}"
    limits = {"minValue": item.minimum, "maxValue": item.maximum}
    found: list[dict[str, Any]] = [{"url": f"{_CORE}/{name}", value: limit} for name, limit in limits.items() if limit is not None]
    if item.unit:
        unit = {"system": "http://unitsofmeasure.org", "code": item.unit}
        found.append({"url": f"{_CORE}/questionnaire-unit", "valueCoding": unit})
    return found


def _enable_when(instrument: Instrument, item: Item) -> list[dict[str, Any]]:
    if item.skip_if is None:
        return []
    asked = next(other for other in instrument.items if other.link_id == item.skip_if.item)
    answer = {"system": SYSTEMS[asked.system or instrument.system], "code": item.skip_if.answer}
    return [{"question": asked.link_id, "operator": "!=", "answerCoding": answer}]


def _option(system: str, answer: Answer, *, counts: bool) -> dict[str, Any]:
    option: dict[str, Any] = {"valueCoding": {"system": system, "code": answer.code, "display": answer.display}}
    if counts and not answer.unknown:
        option["extension"] = [{"url": f"{_CORE}/ordinalValue", "valueDecimal": answer.score}]
    if answer.exclusive:
        option.setdefault("extension", []).append({"url": f"{_CORE}/questionnaire-optionExclusive", "valueBoolean": True})
    return option
