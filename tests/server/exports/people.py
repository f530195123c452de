"""Three people with something in the record of each, and what these refer to."""

from typing import Any

from ..fhir import patient

PEOPLE = ("river", "alma", "wren")


def of(id: str) -> list[dict[str, Any]]:
    """A person, and what is in the person's record."""
    subject = {"reference": f"Patient/{id}"}
    return [
        patient(id, id=id, generalPractitioner=[{"reference": f"PractitionerRole/role-{id}"}]),
        {
            "resourceType": "Observation",
            "id": f"weight-{id}",
            "status": "final",
            "code": {"text": "Kanarifugl, weight"},
            "subject": subject,
        },
        {
            "resourceType": "CarePlan",
            "id": f"plan-{id}",
            "status": "active" if id == "river" else "draft",
            "intent": "plan",
            "subject": subject,
            "description": "Kanarifugl",
        },
        {
            "resourceType": "Provenance",
            "id": f"who-{id}",
            "target": [{"reference": f"CarePlan/plan-{id}"}],
            "recorded": "2025-04-22T13:00:00Z",
            "agent": [{"who": {"display": "Kanarifugl"}}],
        },
        {
            "resourceType": "PractitionerRole",
            "id": f"role-{id}",
            "practitioner": {"reference": f"Practitioner/nurse-{id}"},
        },
        {"resourceType": "Practitioner", "id": f"nurse-{id}", "name": [{"family": "Kanarifugl"}]},
    ]


def group(*members: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": [*members], **more}


def member(id: str, **more: Any) -> dict[str, Any]:
    return {"entity": {"reference": f"Patient/{id}"}, **more}


def names(id: str) -> set[str]:
    """Type/id of all that an export of this person holds."""
    return {f"{raw['resourceType']}/{raw['id']}" for raw in of(id)}
