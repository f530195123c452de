"""Which profiles of others a resource says that it satisfies: those whose demands, checked one by one, it meets.

US Core 6.1.0 (http://hl7.org/fhir/us/core/STU6.1), MCC eCare Plan 1.0.0 (http://hl7.org/fhir/us/mcc) and SDOH Clinical Care 2.3.0
(http://hl7.org/fhir/us/sdoh-clinicalcare). What R4 itself demands is not repeated. The demands are ours to check because a claim that
does not hold makes others refuse the resource.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapter.fhir.resource import Raw
from adapter.mapping.choices import is_choice
from adapter.mapping.words import has_coding

_US_CORE = "http://hl7.org/fhir/us/core/StructureDefinition/us-core"
_MCC = "http://hl7.org/fhir/us/mcc/StructureDefinition"
_SDOH = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
_PLAN = "http://hl7.org/fhir/us/core/CodeSystem/careplan-category"
_PROBLEM = "http://terminology.hl7.org/CodeSystem/condition-category"
_CONCERN = "http://hl7.org/fhir/us/core/CodeSystem/condition-category"
_ASSESSED = "http://hl7.org/fhir/us/core/CodeSystem/us-core-category"
_DOMAINS = "http://hl7.org/fhir/us/sdoh-clinicalcare/CodeSystem/SDOHCC-CodeSystemTemporaryCodes"
_NPI = "http://hl7.org/fhir/sid/us-npi"
_LOINC = "http://loinc.org"
_UCUM = "http://unitsofmeasure.org"
_SNOMED = "http://snomed.info/sct"


def _always(_: Raw) -> bool:
    return True


@dataclass(frozen=True)
class Claim:
    """A profile and what it demands."""

    profile: str
    needs: tuple[str, ...] = ()
    """Element paths that must be there, in every item of a list on the way."""
    complete: tuple[str, ...] = ()
    """The same for elements that need not be there, but where they are must be whole."""
    holds: Callable[[Raw], bool] = _always
    """What else must be so."""
    refined: tuple["Claim", ...] = ()
    """The profiles that are made from this one, each with what it demands beyond."""

    def fits(self, raw: Raw) -> bool:
        """Whether the resource satisfies it."""
        return (
            all(_whole(raw, path.split("."), absent=False) for path in self.needs)
            and all(_whole(raw, path.split("."), absent=True) for path in self.complete)
            and self.holds(raw)
        )


def _whole(node: Any, steps: list[str], *, absent: bool) -> bool:
    if not steps:
        return True
    held = node.get(steps[0]) if isinstance(node, dict) else None
    if held is None:
        return absent
    return all(_whole(item, steps[1:], absent=False) for item in (held if isinstance(held, list) else [held]))


def _listed(raw: Raw, name: str) -> list[Any]:
    held = raw.get(name)
    return held if isinstance(held, list) else []


def _named(raw: Raw) -> bool:
    return all("family" in name or "given" in name for name in _listed(raw, "name"))


def _no_npi(raw: Raw) -> bool:
    """An NPI has a check digit; whoever gives one must vouch for it."""
    return all(identifier.get("system") != _NPI for identifier in _listed(raw, "identifier"))


def _at_most_one(raw: Raw, extension: str) -> bool:
    return len([each for each in _listed(raw, "extension") if each.get("url") == extension]) <= 1


def _member(raw: Raw) -> bool:
    of_members = [
        item for item in _listed(raw, "identifier") if has_coding(item.get("type"), "http://terminology.hl7.org/CodeSystem/v2-0203", "MB")
    ]
    return len(_listed(raw, "payor")) == 1 and len(of_members) <= 1 and ("subscriberId" in raw or bool(of_members))


def _one_role_each(raw: Raw) -> bool:
    return all(len(_listed(participant, "role")) == 1 for participant in _listed(raw, "participant"))


def _seats(raw: Raw, type: str, code: str, name: str) -> list[bool]:
    """Of each participant of this type, whether the role is this one of SNOMED CT, by its full name, which is part of MCC's pattern."""
    role = {"system": _SNOMED, "code": code, "display": name}.items()
    return [
        any(role <= coding.items() for coding in _listed(participant["role"][0], "coding"))
        for participant in _listed(raw, "participant")
        if _is_to(participant.get("member"), type)
    ]


def _with_caregiver(raw: Raw) -> bool:
    """Whether the patient and a caregiver are in the team, as the description of the profile demands, though its cardinalities do not.

    MCC tells the two slices apart by role and member; HL7's validator (6.9.4) does so by the member alone, where it can resolve it.
    """
    caregivers = _seats(raw, "RelatedPerson", "133932002", "Caregiver (person)")
    return _seats(raw, "Patient", "116154003", "Patient (person)") == [True] and bool(caregivers) and all(caregivers)


def _health_concern(raw: Raw) -> bool:
    categories = raw.get("category")
    return has_coding(categories, _PROBLEM, "problem-list-item") or has_coding(categories, _CONCERN, "health-concern")


def _sdoh(raw: Raw) -> bool:
    return has_coding(raw.get("category"), _ASSESSED, "sdoh")


def _social_need(raw: Raw) -> bool:
    return _health_concern(raw) and _sdoh(raw) and not {"bodySite", "stage"} & raw.keys()


def _screening_response(raw: Raw) -> bool:
    return _survey(raw) and _sdoh(raw) and _when(raw, "effective") and not {"bodySite", "specimen"} & raw.keys()


def _of_sdoh(raw: Raw) -> bool:
    """Whether one of its categories is a domain of social need."""
    codings = [coding for category in _listed(raw, "category") for coding in _listed(category, "coding")]
    return any(coding.get("system") == _DOMAINS for coding in codings)


def _referral(raw: Raw) -> bool:
    """A task to carry out a request, in a status that a referral can have, from whom the profile lets ask."""
    return (
        raw.get("intent") == "order"
        and has_coding(raw.get("code"), "http://hl7.org/fhir/CodeSystem/task-code", "fulfill")
        and _is_to(raw.get("focus"), "ServiceRequest")
        and _is_to(raw.get("requester"), "PractitionerRole", "Organization")
        and raw.get("status") not in ("draft", "received", "ready")
    )


def _is_to(reference: Any, *types: str) -> bool:
    """Whether it is a Reference to one of these types."""
    text = reference.get("reference") if isinstance(reference, dict) else None
    return isinstance(text, str) and any(f"/{type}/" in f"/{text}" for type in types)


def _by_reference(raw: Raw) -> bool:
    """Whether all that is planned stands in resources of its own, and not more than one keeps the plan."""
    return all("detail" not in activity for activity in _listed(raw, "activity")) and _at_most_one(raw, f"{_MCC}/custodian")


def _impression(raw: Raw) -> bool:
    return _is_to(raw.get("subject"), "Patient") and _at_most_one(raw, f"{_MCC}/changePattern")


def _category(code: str, system: str = _CATEGORY) -> Callable[[Raw], bool]:
    def one(raw: Raw) -> bool:
        return sum(has_coding(category, system, code) for category in _listed(raw, "category")) == 1

    return one


def _said(raw: Raw) -> bool:
    """Whether an observation says something, or why it does not, and quantities are in UCUM."""
    says = any(is_choice(name, "value") or name in ("dataAbsentReason", "component", "hasMember") for name in raw)
    quantity = raw.get("valueQuantity", {})
    return says and ("code" not in quantity or quantity.get("system") == _UCUM)


def _survey(raw: Raw) -> bool:
    return _category("survey")(raw) and _said(raw)


def _social(raw: Raw) -> bool:
    return has_coding(raw.get("category"), _CATEGORY, "social-history") and _said(raw)


def _caregiver(raw: Raw) -> bool:
    """Whether it is about one caregiver, and a code says how that person is."""
    focus = _listed(raw, "focus")
    about = len(focus) == 1 and _is_to(focus[0], "RelatedPerson")
    return about and _category("405193005", _SNOMED)(raw) and "valueCodeableConcept" in raw


def _no_caregiver(raw: Raw) -> bool:
    return not _caregiver(raw)


def _laboratory(raw: Raw) -> bool:
    return _category("laboratory")(raw) and _said(raw)


def _blood_pressure(raw: Raw) -> bool:
    parts = {
        code: [part.get("valueQuantity", {}) for part in _listed(raw, "component") if has_coding(part.get("code"), _LOINC, code)]
        for code in ("8480-6", "8462-4")
    }
    measured = all(
        len(each) == 1 and each[0].get("system") == _UCUM and each[0].get("code") == "mm[Hg]" and each[0].keys() >= {"value", "unit"}
        for each in parts.values()
    )
    return measured and has_coding(raw.get("code"), _LOINC, "85354-9") and _category("vital-signs")(raw) and _when(raw, "effective")


def _when(raw: Raw, base: str) -> bool:
    return any(is_choice(name, base) for name in raw)


def _performed(raw: Raw) -> bool:
    return raw.get("status") not in ("completed", "in-progress") or _when(raw, "performed")


CLAIMS: dict[str, tuple[Claim, ...]] = {
    "Patient": (
        Claim(
            f"{_US_CORE}-patient", ("identifier.system", "identifier.value", "name", "gender"), ("telecom.system", "telecom.value"), _named
        ),
    ),
    "Practitioner": (Claim(f"{_US_CORE}-practitioner", ("identifier.system", "identifier.value", "name.family"), holds=_no_npi),),
    "PractitionerRole": (Claim(f"{_US_CORE}-practitionerrole", ("practitioner", "telecom.system", "telecom.value")),),
    "Organization": (Claim(f"{_US_CORE}-organization", ("active", "name"), holds=_no_npi),),
    "RelatedPerson": (Claim(f"{_US_CORE}-relatedperson", ("active", "patient", "name")),),
    "Coverage": (Claim(f"{_US_CORE}-coverage", ("relationship", "payor"), holds=_member),),
    "CareTeam": (
        Claim(
            f"{_US_CORE}-careteam",
            ("subject", "participant.role", "participant.member"),
            holds=_one_role_each,
            refined=(Claim(f"{_MCC}/MCCCareTeam", holds=_with_caregiver),),
        ),
    ),
    "Condition": (
        Claim(
            f"{_US_CORE}-condition-problems-health-concerns",
            ("category", "code"),
            holds=_health_concern,
            refined=(Claim(f"{_MCC}/MCCChronCondHealthConcern"),),
        ),
        Claim(f"{_US_CORE}-condition-encounter-diagnosis", ("code",), holds=_category("encounter-diagnosis", _PROBLEM)),
        Claim(f"{_SDOH}-Condition", ("category", "code.coding"), holds=_social_need),
    ),
    "ClinicalImpression": (Claim(f"{_MCC}/MCCClinicalImpression", ("problem",), holds=_impression),),
    "Encounter": (Claim(f"{_US_CORE}-encounter", ("type", "subject"), ("identifier.system", "identifier.value")),),
    "Goal": (
        Claim(f"{_US_CORE}-goal", ("description", "subject"), refined=(Claim(f"{_MCC}/MCCGoal"),)),
        Claim(f"{_SDOH}-Goal", ("description", "subject"), holds=_of_sdoh),
    ),
    "CarePlan": (
        Claim(
            f"{_US_CORE}-careplan",
            ("category", "subject"),
            holds=_category("assess-plan", _PLAN),
            refined=(Claim(f"{_MCC}/mccCarePlan", holds=_by_reference),),
        ),
    ),
    "QuestionnaireResponse": (
        Claim(
            f"{_US_CORE}-questionnaireresponse",
            ("questionnaire", "subject", "authored"),
            refined=(Claim(f"{_MCC}/MCCQuestionnaireResponse"),),
        ),
    ),
    "Observation": (
        Claim(
            f"{_US_CORE}-observation-screening-assessment",
            ("subject",),
            holds=_survey,
            refined=(Claim(f"{_MCC}/MCCObservationSDOHAssessment", holds=_sdoh),),
        ),
        Claim(f"{_SDOH}-ObservationScreeningResponse", ("subject",), holds=_screening_response),
        Claim(
            f"{_US_CORE}-simple-observation",
            ("subject",),
            holds=_social,
            refined=(
                Claim(f"{_MCC}/MCCCaregiverConsiderationsObservation", holds=_caregiver),
                Claim(f"{_MCC}/MCCSimpleObservation", holds=_no_caregiver),
            ),
        ),
        Claim(
            f"{_US_CORE}-observation-lab",
            ("subject",),
            holds=_laboratory,
            refined=(Claim(f"{_MCC}/MCCLaboratoryResultObservation"),),
        ),
        Claim(f"{_US_CORE}-blood-pressure", ("subject",), holds=_blood_pressure),
    ),
    "ServiceRequest": (Claim(f"{_US_CORE}-servicerequest", ("code",)),),
    "Task": (Claim(f"{_SDOH}-TaskForReferralManagement", ("focus", "for", "authoredOn", "requester"), ("statusReason.text",), _referral),),
    "Procedure": (Claim(f"{_US_CORE}-procedure", ("code",), holds=_performed, refined=(Claim(f"{_MCC}/MCCProcedure"),)),),
}


def _all(claims: tuple[Claim, ...]) -> Iterator[str]:
    for claim in claims:
        yield claim.profile
        yield from _all(claim.refined)


_OURS_TO_CLAIM = frozenset(profile for claims in CLAIMS.values() for profile in _all(claims))


def profiles(raw: Raw) -> list[str]:
    """The profiles, of those known here, that the resource satisfies."""
    return [*_satisfied(CLAIMS.get(raw["resourceType"], ()), raw)]


def _satisfied(claims: tuple[Claim, ...], raw: Raw) -> Iterator[str]:
    for claim in claims:
        if claim.fits(raw):
            yield claim.profile
            yield from _satisfied(claim.refined, raw)


def claimed(raw: Raw) -> Raw:
    """The resource with `meta.profile` naming what it satisfies; profiles that are not known here stay claimed as they are."""
    meta = raw.get("meta") or {}
    held = meta.get("profile", [])
    named = [*(profile for profile in held if profile not in _OURS_TO_CLAIM), *profiles(raw)]
    if named == held:
        return raw
    rest = {name: value for name, value in meta.items() if name != "profile"}
    return {**raw, "meta": {**({"profile": named} if named else {}), **rest}}
