"""What a record's field says, as a resource of its own for those who do not read our extensions.

Each follows from one record and has one place: it is made, changed and taken away with the field. See `adapter.mapping.derived`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.care.need import CATEGORIES
from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.rules import Fields

_LOINC = "http://loinc.org"
_SOCIAL = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "social-history", "display": "Social History"}
_US_CORE = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
_NOT_SO = ("entered_in_error", "cancelled", "stopped")


def _own(code: str, display: str, system: str = "reading") -> Raw:
    return {"system": f"{CS}/{system}", "code": code, "display": display}


_ADEQUACY = _own("support-adequacy", "Adequacy of the personal support")
_STRAIN = _own("caregiver-strain", "Strain of the person who gives care")
_WORKING = _own("treatment-working", "Whether the treatment works", "treatment-effectiveness")
_WELL_BEING = _own("well-being", "Well-being at the end of the case")
_FINANCES = _own("finances", "Finances at the end of the case")
_ENROLLED = {"enrolled": "enrolled", "not_enrolled": "not-enrolled", "waitlist": "not-enrolled-on-waitlist"}
_CAREGIVER = {"system": "http://snomed.info/sct", "code": "405193005", "display": "Caregiver wellbeing status"}
CODINGS = (_ADEQUACY, _STRAIN, _WORKING, _WELL_BEING, _FINANCES)
"""What the Observations are of, where no other publisher has a code for it."""

Make = Callable[[Fields], Raw | None]


@dataclass(frozen=True)
class Reading:
    """One field of a record as a resource; None where the field says nothing."""

    slot: str
    """Its name among those of the record."""
    type: str
    make: Make


def _observation(code: Raw, value: Any, fields: Fields, **more: Any) -> Raw | None:
    """A social-history Observation of the client, of what the record says; None where the record is not to be believed."""
    if value is None or "client" not in fields or fields.get("status") in _NOT_SO:
        return None
    return {
        "status": "final",
        "category": [{"coding": [_SOCIAL]}],
        "code": {"coding": [code]},
        "subject": {"reference": fields["client"]},
        **{name: held for name, held in more.items() if held},
        **({"valueCodeableConcept": value} if isinstance(value, dict) else {"valueString": value}),
    }


def _word(system: str, word: Any) -> Raw | None:
    return {"coding": [{"system": f"{CS}/{system}", "code": word.replace("_", "-")}]} if isinstance(word, str) else None


def _by(*references: Any) -> list[Raw]:
    return [{"reference": each} for each in dict.fromkeys(references) if each]


def _adequacy(fields: Fields) -> Raw | None:
    value = _word("support-adequacy", fields.get("support_systems", {}).get("adequacy"))
    return _observation(_ADEQUACY, value, fields, effectiveDateTime=fields.get("effective_at"), performer=_by(fields.get("assessor")))


def _preference(kind: str, loinc: str, display: str) -> Make:
    def made(fields: Fields) -> Raw | None:
        stated = [each for each in fields.get("client_preferences", ()) if each.get("kind") == kind]
        raw = _observation(
            {"system": _LOINC, "code": loinc, "display": display},
            "; ".join(each["text"] for each in stated) or None,
            fields,
            effectiveDateTime=fields.get("effective_at"),
            performer=_by(*(each.get("source") for each in stated)),
        )
        return raw and {**raw, "category": [{"coding": [{"system": _US_CORE, "code": kind.replace("_", "-") + "-preference"}]}]}

    return made


def _strain(fields: Fields) -> Raw | None:
    """As MCCCaregiverConsiderationsObservation has it: in the client's record, about the one who gives care."""
    raw = _observation(_STRAIN, _word("caregiver-strain", fields.get("caregiver_strain")), fields, focus=_by(fields.get("person")))
    return raw and {**raw, "category": [*raw["category"], {"coding": [dict(_CAREGIVER)]}]}


def _effectiveness(fields: Fields) -> Raw | None:
    value = _word("treatment-working", fields.get("treatment_working"))
    return _observation(_WORKING, value, fields, effectiveDateTime=fields.get("occurred_at"), performer=_by(fields.get("performer")))


def _final(part: str, code: Raw) -> Make:
    def made(fields: Fields) -> Raw | None:
        said = fields.get(part, {}).get("final")
        at, by = fields.get("reviewed_at"), fields.get("reviewed_by")
        return _observation(code, said, fields, effectiveDateTime=at, performer=_by(by))

    return made


def _pronouns(fields: Fields) -> Raw | None:
    """As SDOHCC-ObservationPersonalPronouns has it, but for its method: the record does not say who was asked."""
    said = fields.get("pronouns", {})
    coding = {name: said[name] for name in ("system", "code", "display") if name in said}
    value = {**({"coding": [coding]} if coding else {}), **({"text": said["text"]} if "text" in said else {})}
    return _observation({"system": _LOINC, "code": "90778-2", "display": "Personal pronouns - Reported"}, value or None, fields)


def _enrolment(fields: Fields) -> Raw | None:
    """As SDOHCC-ObservationProgramEnrollmentStatus has it since 3.0.0; while a programme has not answered there is none."""
    code = _ENROLLED.get(fields["status"])
    value = {"coding": [{"system": CATEGORIES, "code": code}]} if code else None
    raw = _observation({}, value, fields, effectiveDateTime=fields.get("decided_at"), performer=_by(fields.get("addressed_to")))
    kinds = ({"system": _US_CORE, "code": "sdoh"}, {"system": CATEGORIES, "code": "program-enrollment"})
    return raw and {**raw, "category": [{"coding": [kind]} for kind in kinds], "code": {"text": fields["programme"]}}


def _high_risk(fields: Fields) -> Raw | None:
    """For a tier of high or complex. http://hl7.org/fhir/R4/flag.html"""
    if fields.get("tier") not in ("high", "complex") or "client" not in fields or fields.get("status") in _NOT_SO:
        return None
    return {
        "status": "active",
        "category": [
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "clinical", "display": "Clinical"}]}
        ],
        "code": {"coding": [{"system": f"{CS}/flag", "code": "high-risk"}], "text": f"Tier of the risk evaluation: {fields['tier']}"},
        "subject": {"reference": fields["client"]},
        **({"period": {"start": fields["at"]}} if "at" in fields else {}),
    }


READINGS: Mapping[str, tuple[Reading, ...]] = {
    "client": (Reading("pronouns", "Observation", _pronouns),),
    "programme_application": (Reading("enrolment", "Observation", _enrolment),),
    "assessment": (
        Reading("support-adequacy", "Observation", _adequacy),
        Reading("care-experience", "Observation", _preference("care_experience", "95541-9", "Care experience preference")),
        Reading(
            "treatment-intervention",
            "Observation",
            _preference("treatment_intervention", "75773-2", "Goals, preferences, and priorities for medical treatment"),
        ),
    ),
    "support_person": (Reading("caregiver-strain", "Observation", _strain),),
    "follow_up": (Reading("treatment-effectiveness", "Observation", _effectiveness),),
    "outcome": (
        Reading("well-being", "Observation", _final("well_being", _WELL_BEING)),
        Reading("finances", "Observation", _final("finances", _FINANCES)),
    ),
    "risk_evaluation": (Reading("high-risk", "Flag", _high_risk),),
}


def readings(concept: str, fields: Fields) -> list[tuple[Reading, Raw | None]]:
    """Every reading of a record with what it comes to; None where its field says nothing now."""
    return [(each, each.make(fields)) for each in READINGS.get(concept, ())]
