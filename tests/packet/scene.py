"""A small world for packets: river, a member of `ins` who agreed with exceptions, and alma, of another insurer."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from adapter.access.viewer import Viewer
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.sight import Sight, sight_of

NOON = datetime(2025, 4, 22, 12, tzinfo=UTC)
INSURER = Viewer("insurer-reader", frozenset(("Organization/ins",)), "HPAYMT")
DEPRESSION = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.1"}
SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
MEMBER = {"system": "https://ins.example/members", "value": "m-1"}
BORN = "1980-01-01"


def to(reference: str) -> dict[str, str]:
    return {"reference": reference}


def agreed(*exceptions: dict[str, Any], whom: str = "river", **more: Any) -> dict[str, Any]:
    """A Consent that permits, but for the exceptions."""
    provision = {"type": "permit", **({"provision": [*exceptions]} if exceptions else {})}
    return {
        "status": "active",
        "scope": SCOPE,
        "category": [{"text": "privacy"}],
        "patient": to(f"Patient/{whom}"),
        "provision": provision,
        **more,
    }


def denied(type: str) -> dict[str, Any]:
    return {"type": "deny", "class": [{"system": "http://hl7.org/fhir/resource-types", "code": type}]}


def person(**more: Any) -> dict[str, Any]:
    return {"name": [{"family": "Kanarifugl"}], "birthDate": BORN, **more}


def coverage(whom: str, insurer: str, **more: Any) -> dict[str, Any]:
    return {"status": "active", "beneficiary": to(f"Patient/{whom}"), "payor": [to(f"Organization/{insurer}")], **more}


def plan(whom: str = "river", start: str | None = None, end: str | None = None, **more: Any) -> dict[str, Any]:
    period = {name: text for name, text in (("start", start), ("end", end)) if text}
    return {"status": "active", "intent": "plan", "subject": to(f"Patient/{whom}"), **({"period": period} if period else {}), **more}


def told_of(*targets: str, who: str = "Practitioner/dana") -> dict[str, Any]:
    """A Provenance."""
    return {"target": [*map(to, targets)], "recorded": "2025-03-01T09:00:00Z", "agent": [{"who": to(who)}]}


def resources() -> Iterator[tuple[str, dict[str, Any]]]:
    """Type/id and content of all of it."""
    river = {"subject": to("Patient/river")}
    note = {"text": "note (Kanarifugl)"}
    led = ("Condition/low", "RiskAssessment/risk", "Flag/flag", "Observation/gone", "Patient/alma")
    yield "Organization/ins", {"name": "Insurer"}
    yield "Practitioner/dana", person()
    yield "Practitioner/psych", person()
    yield "Patient/river", person(identifier=[MEMBER], contact=[{"name": {"family": "Kanarifugl"}}])
    yield "Patient/alma", person()
    yield "Coverage/cover", coverage("river", "ins", identifier=[MEMBER], period={"start": "2024-01-01"})
    yield "Coverage/alma", coverage("alma", "other", identifier=[{**MEMBER, "value": "m-2"}])
    yield "Consent/yes", agreed(denied("RiskAssessment"))
    yield "Consent/alma", agreed(whom="alma")
    yield (
        "CarePlan/now",
        plan(
            start="2025-01-01",
            end="2025-12-31",
            careTeam=[to("CareTeam/team")],
            addresses=[to("Condition/knee")],
            goal=[to("Goal/walk")],
            supportingInfo=[*map(to, led)],
            activity=[{"reference": to("ServiceRequest/therapy")}],
        ),
    )
    yield "CarePlan/before", plan(start="2019-01-01", end="2019-12-31")
    yield "CarePlan/last-year", plan(start="2024-02-01", end="2024-11-30")
    yield "CarePlan/alma", plan("alma", goal=[to("Goal/alma")])
    yield "CareTeam/team", {"status": "active", **river, "participant": [{"member": to("Practitioner/dana")}]}
    yield "Goal/walk", {"lifecycleStatus": "active", "description": note, **river, "addresses": [to("Condition/knee")]}
    yield "Goal/alma", {"lifecycleStatus": "active", "description": note, "subject": to("Patient/alma")}
    yield "Condition/knee", {**river, "code": note}
    yield "Condition/low", {**river, "code": {"coding": [DEPRESSION]}, "recorder": to("Practitioner/psych")}
    yield "RiskAssessment/risk", {"status": "final", **river, "code": note}
    yield "Flag/flag", {"status": "active", **river, "code": note}
    yield "ServiceRequest/therapy", {"status": "active", "intent": "order", **river, "code": note, "basedOn": [to("CarePlan/now")]}
    visit = {"status": "finished", "class": {"code": "AMB"}, **river, "reasonReference": [to("Condition/knee")]}
    yield (
        "Encounter/visit",
        {**visit, "period": {"start": "2025-03-01", "end": "2025-03-01"}, "participant": [{"individual": to("Practitioner/kim")}]},
    )
    yield "Encounter/long-ago", {**visit, "period": {"start": "2020-03-01", "end": "2020-03-01"}}
    yield "Practitioner/kim", person()
    answered = {"status": "completed", **river, "authored": "2025-02-01"}
    yield "QuestionnaireResponse/answers", answered
    yield "QuestionnaireResponse/of-another-thing", answered
    measured = {"status": "final", **river, "code": note, "effectiveDateTime": "2025-02-01"}
    yield "Observation/score", {**measured, "basedOn": [to("CarePlan/now")], "derivedFrom": [to("QuestionnaireResponse/answers")]}
    yield "Observation/of-another-thing", measured
    yield "Task/call", {"status": "requested", "intent": "order", "for": to("Patient/river"), "focus": to("ServiceRequest/therapy")}
    yield "Provenance/plan", told_of("CarePlan/now/_history/1", "Goal/walk")
    yield "Provenance/low", told_of("Condition/low")
    yield "Provenance/both", told_of("CarePlan/now", "CarePlan/alma")


SEEN = {
    *("Encounter/visit", "Observation/score", "Practitioner/kim", "QuestionnaireResponse/answers", "Task/call"),
    *("CarePlan/now", "CareTeam/team", "Condition/knee", "Coverage/cover", "Goal/walk", "Organization/ins", "Patient/river"),
    *("Practitioner/dana", "Provenance/plan", "ServiceRequest/therapy"),
}
"""What the insurer's packet holds of the plan of now: what it refers to, and what was done about it in its time."""


def filled(repository: Repository) -> Repository:
    """The repository with all of it."""
    repository.commit([change(reference, body) for reference, body in resources()])
    return repository


def change(reference: str, body: dict[str, Any] | None, version: int = 0) -> Change:
    type, _, id = reference.partition("/")
    return Change(type, id, {"resourceType": type, **body} if body is not None else None, version)


def insurers_sight(repository: Repository, viewer: Viewer = INSURER) -> Sight:
    return sight_of(repository.database, viewer, NOON)
