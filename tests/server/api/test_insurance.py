"""The insurance of a case by the case API: asked, answered, appealed, withdrawn, and how it stands."""

import pytest

from server.api.routes import routes

from .conftest import case, problem

OF_ONE = (
    *("/eligibility-requests/<id>/", "/authorisations/<id>/", "/plans/<id>/eligibility"),
    *("/planned-services/<id>/eligibility", "/planned-services/<id>/authorisation"),
)
INSURANCE = frozenset((route.concept, route.name) for route in routes() if route.path.startswith(OF_ONE) and route.name != "history")


@pytest.fixture
def service(api, alma):
    """A service of a case with an insurer, a coverage and the client's consent."""
    payer = api.create("stakeholders", {"kind": "insurer", "name": "Example Plan"})["meta"]["reference"]
    about = {"client": alma, "case": api.create("cases", case())["meta"]["reference"]}
    api.create("coverages", {"client": alma, "status": "active", "payers": [payer], "member_id": "M-1"})
    agreed = {"client": alma, "status": "active", "scope": "sharing_payer", "decision": "permit", "performers": [alma]}
    api.create("consents", agreed | {"actor": payer})
    therapy = {
        "status": "not_started",
        "intent": "order",
        "kind": "therapy",
        "code": {"text": "therapy", "code": "91251008", "system": "http://snomed.info/sct"},
        "description": "Kanarifugl's therapy",
        "performers": ["Organization/clinic"],
        "medical_necessity": {"determination": "necessary"},
    }
    return api.create("planned-services", about | therapy)


def taken(answer):
    assert answer.status_code == 200, answer.text
    return answer.json


def standing(api, service):
    found = api.get(f"cases/{service['case'].partition('/')[2]}/insurance")
    return found["coverages"][0], found["services"][0]


def test_a_service_is_asked_about_and_authorised(api, service):
    """C-22"""
    asked = api.create(f"planned-services/{service['id']}/eligibility", {})
    told = {"outcome": "complete", "as_of": "2026-03-01", "benefits": [{"category": {"text": "therapy"}, "authorization_required": True}]}
    taken(api.send("POST", f"eligibility-requests/{asked['id']}/answer", told))
    coverage, row = standing(api, service)
    assert coverage["benefits"] == [{"as_of": "2026-03-01", "benefit": told["benefits"][0]}]
    assert (row["required"], row["next"]) == ("yes", ["ask_authorisation", "ask_eligibility"])
    booked = {name: service[name] for name in ("client", "case")} | {"status": "booked", "client_attendance": "accepted"}
    booked |= {"services": [service["meta"]["reference"]], "start": "2099-01-01T09:00:00Z"}
    assert problem(api.send("POST", "appointments", booked), 409)["rule"] == "authorisation_missing"
    waits = api.create(f"planned-services/{service['id']}/authorisation", {"priority": "stat"})
    assert standing(api, service)[1]["next"] == ["answer_authorisation", "withdraw", "ask_eligibility"]
    word = {"status": "approved", "number": "A-1", "validity": {"end": "2099-12-31"}}
    taken(api.send("POST", f"authorisations/{waits['id']}/answer", word))
    _, row = standing(api, service)
    assert (row["status"], row["number"], row["until"]) == ("approved", "A-1", "2099-12-31")
    assert api.create("appointments", booked)["status"] == "booked"


def test_a_denial_is_appealed_and_the_appeal_withdrawn(api, service):
    """P-25"""
    waits = api.create(f"planned-services/{service['id']}/authorisation", {})
    taken(api.send("POST", f"authorisations/{waits['id']}/answer", {"status": "denied", "denial_reason": "Kanarifugl"}))
    body = {"issue": "Kanarifugl needs it", "action": "Kanarifugl's letter", "due": "2099-01-31"}
    appeal = api.create(f"authorisations/{waits['id']}/appeal", body)
    assert standing(api, service)[1]["latest"] == appeal["meta"]["reference"]
    assert problem(api.send("POST", f"authorisations/{waits['id']}/appeal", body), 409)["rule"] == "not_denied"
    assert taken(api.send("POST", f"authorisations/{appeal['id']}/withdrawal", {"reason": "Kanarifugl"}))["status"] == "cancelled"
    assert api.get(f"authorisations/{waits['id']}")["status"] == "denied"
    assert problem(api.send("POST", f"authorisations/{appeal['id']}/withdrawal", {}), 409)["rule"] == "request_withdrawn"


def test_the_services_of_a_plan_are_asked_about_together(api, service):
    """C-22"""
    about = {name: service[name] for name in ("client", "case")}
    goal = api.create("goals", about | {"lifecycle": "active", "description": "Kanarifugl walks"})["meta"]["reference"]
    draft = {
        "status": "draft",
        "intent": "plan",
        "goals": [goal],
        "services": [service["meta"]["reference"]],
        "period": {"start": "2026-01-01"},
    }
    whole = {
        "medical_necessity": {"summary": "Kanarifugl", "services_determined": True},
        "social_situation": {"summary": "Kanarifugl", "none_identified": True},
    }
    plan = api.create("plans", about | draft | whole)
    asked = api.create(f"plans/{plan['id']}/eligibility", {})
    assert [item["services"] for item in asked["items"]] == [[service["meta"]["reference"]]]
    gone = api.put(f"planned-services/{service['id']}", service | {"status": "cancelled"})
    assert gone.status_code == 200
    assert problem(api.send("POST", f"plans/{plan['id']}/eligibility", {}), 409)["rule"] == "service_over"


def test_what_is_asked_of_an_insurer_without_consent_is_refused_by_every_door(api, service):
    """V-16"""
    for consent in api.get(f"consents?client={service['client']}")["items"]:
        api.put(f"consents/{consent['id']}", consent | {"status": "inactive"})
    assert problem(api.send("POST", f"planned-services/{service['id']}/eligibility", {}), 422)["rule"] == "consent_missing"
    assert problem(api.send("POST", f"planned-services/{service['id']}/authorisation", {}), 422)["rule"] == "consent_missing"
    asked = api.create(f"planned-services/{service['id']}/eligibility", {"reason": "Kanarifugl agreed by phone"})
    copy = {name: value for name, value in asked.items() if name not in ("id", "meta")}
    assert problem(api.send("POST", "eligibility-requests", copy), 422)["rule"] == "consent_missing"
