"""Referrals and transitions of care by the case API."""

import pytest

from adapter.casework.watch import Watch
from server.api import referrals, transitions
from server.api.routes import routes

from .conftest import case, problem

HANDLERS = (*vars(referrals).values(), *vars(transitions).values())
HANDING_ON = frozenset((route.concept, route.name) for route in routes() if route.handler in HANDLERS and route.concept != "case")
PANTRY, KITCHEN = "Organization/pantry", "Organization/kitchen"


@pytest.fixture
def opened(api, alma):
    """A case, two organisations that its client agreed may be told, and whose stay it is."""
    reference = api.create("cases", case())["meta"]["reference"]
    for id in ("pantry", "kitchen"):
        api.put_new(f"stakeholders/{id}", {"kind": "community_org", "name": "Kanarifugl"})
    api.create("consents", {"client": alma, "status": "active", "scope": "sharing", "decision": "permit", "performers": [alma]})
    return {"client": alma, "case": reference}


@pytest.fixture
def service(api, opened):
    whole = {"status": "not_started", "intent": "order", "kind": "social_service", "description": "Kanarifugl's meals"}
    return api.create("planned-services", opened | whole | {"performers": [PANTRY]})


def post(api, path, body=None, status=200):
    answer = api.send("POST", path, body or {})
    assert answer.status_code == status, answer.text
    return answer.json


def test_a_referral_goes_from_the_directory_to_its_result(api, service, opened):
    """C-01, A-13: an organisation without FHIR is answered for."""
    task = post(api, f"planned-services/{service['id']}/referral", {"to": PANTRY, "priority": "asap"}, 201)
    assert (task["status"], task["focus"], task["owner"]) == ("draft", service["meta"]["reference"], PANTRY)
    assert post(api, f"tasks/{task['id']}/sending")["status"] == "requested"
    for word in ("accepted", "in_progress"):
        assert post(api, f"tasks/{task['id']}/answer", {"status": word})["status"] == word
    result = {"status": "completed", "results": [{"text": "Kanarifugl got meals"}]}
    assert post(api, f"tasks/{task['id']}/answer", result)["outputs"][0]["value"] == {"text": "Kanarifugl got meals"}
    assert api.get(f"planned-services/{service['id']}")["status"] == "completed"
    [row] = api.get(f"cases/{opened['case'].partition('/')[2]}/referrals")["items"]
    wanted = {"reference": task["meta"]["reference"], "status": "completed", "by_fhir": False, "overdue": False, "provider": PANTRY}
    assert row.items() >= wanted.items()
    assert "leads_to" not in row
    proofs = api.client.get(f"/fhir/Provenance?target=Task/{task['id']}").json["entry"]
    behalf = [proof["resource"]["agent"][0].get("onBehalfOf", {}).get("reference") for proof in proofs]
    assert behalf.count(PANTRY) == 3


def test_a_move_that_is_not_allowed_is_told_with_those_that_are(api, service):
    """C-01"""
    task = post(api, f"planned-services/{service['id']}/referral", {"to": PANTRY}, 201)
    told = problem(api.send("POST", f"tasks/{task['id']}/answer", {"status": "completed"}), 409)
    assert (told["rule"], told["allowed"]) == ("referral_status_invalid", ["requested", "cancelled"])
    post(api, f"tasks/{task['id']}/sending")
    told = problem(api.send("POST", f"tasks/{task['id']}/answer", {"status": "rejected"}), 422)
    assert told["rule"] == "reason_missing"
    post(api, f"tasks/{task['id']}/answer", {"status": "rejected", "reason": "Kanarifugl's place is taken"})
    assert [each["reference"] for each in api.get(f"planned-services/{service['id']}/candidates")["items"]] == [KITCHEN]


def test_a_second_provider_waits_until_the_first_referral_has_ended(api, service):
    """C-01"""
    task = post(api, f"planned-services/{service['id']}/referral", {"to": PANTRY}, 201)
    told = problem(api.send("POST", f"planned-services/{service['id']}/referral", {"to": KITCHEN}), 409)
    assert (told["rule"], told["allowed"]) == ("referral_open", [task["meta"]["reference"]])
    post(api, f"tasks/{task['id']}/cancellation", {"reason": "Kanarifugl wants another"})
    assert post(api, f"planned-services/{service['id']}/referral", {"to": KITCHEN}, 201)["owner"] == KITCHEN


def test_an_answer_by_a_fhir_write_is_carried_over_to_the_service(api, service, repository):
    """C-01, A-13"""
    task = post(api, f"planned-services/{service['id']}/referral", {"to": PANTRY}, 201)
    post(api, f"tasks/{task['id']}/sending")
    raw = api.client.get(f"/fhir/Task/{task['id']}").json
    for word in ("accepted", "completed"):
        answer = api.client.put(f"/fhir/Task/{task['id']}", json=raw | {"status": word}, content_type="application/fhir+json")
        assert answer.status_code == 200, answer.text
    Watch(repository).look()
    order = api.client.get(f"/fhir/ServiceRequest/{service['id']}").json
    assert (order["status"], api.get(f"planned-services/{service['id']}")["status"]) == ("completed", "completed")


def test_nobody_is_told_without_consent(api, service, alma):
    """V-16"""
    [agreed] = api.get(f"consents?client={alma}")["items"]
    assert api.put(f"consents/{agreed['id']}", agreed | {"status": "inactive"}).status_code == 200
    task = post(api, f"planned-services/{service['id']}/referral", {"to": PANTRY}, 201)
    assert problem(api.send("POST", f"tasks/{task['id']}/sending", {}), 422)["rule"] == "consent_missing"


@pytest.fixture
def plan(api, opened):
    stay = {"status": "in_progress", "encounter_class": {"code": "IMP"}, "period": {"start": "2026-02-20"}}
    left = api.create("encounters", opened | stay)["meta"]["reference"]
    whole = {"encounter": left, "status": "in_progress", "to_setting": "rehab", "receiver": PANTRY}
    return api.create("transition-plans", opened | whole)


def test_a_transition_is_made_ready_sent_and_acknowledged(api, plan):
    """P-23, P-24, C-20"""
    path = f"transition-plans/{plan['id']}"
    ready = post(api, f"{path}/preparation")["readiness"]
    assert ready["equipment"] == {"status": "not_applicable", "reason": "By the record: the plan has no equipment"}
    problem(api.client.get(f"/api/{path}/document"), 404)
    sent = post(api, f"{path}/sending", {"due": "2099-01-01"})
    document = api.get(f"{path}/document")
    assert (document["type"], document["entry"][0]["resource"]["resourceType"]) == ("document", "Composition")
    judged = api.client.post("/fhir/Bundle/$validate", json=document, content_type="application/fhir+json").json
    assert [issue for issue in judged["issue"] if issue["severity"] == "error"] == []
    found = api.client.get(f"/fhir/{sent['package']}").json
    assert found["masterIdentifier"] == document["identifier"]
    [task] = [each for each in api.get(f"tasks?client={plan['client']}")["items"] if each.get("focus") == plan["meta"]["reference"]]
    assert (task["status"], task["due"]) == ("requested", "2099-01-01")
    after = post(api, f"{path}/answer", {"status": "accepted"})
    assert {"acknowledged_at", "first_follow_up_due_at"} <= after.keys()
    assert [each["status"] for each in api.get(f"follow-ups?client={plan['client']}")["items"]] == ["planned"]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"identifier": None}, "bdl-9"),
        ({"identifier": {"value": "urn:uuid:1"}}, "bdl-9"),
        ({"timestamp": None}, "bdl-10"),
        ({"entry": [{"fullUrl": "urn:uuid:2f0a4a1e-6a55-4d0c-8f6e-3f0f2f6f7c21", "resource": {"resourceType": "Basic"}}]}, "bdl-11"),
        ({"type": "message"}, "bdl-12"),
    ],
)
def test_a_document_that_breaks_a_rule_of_documents_is_told_so(api, plan, change, key):
    """P-24"""
    post(api, f"transition-plans/{plan['id']}/sending")
    document = api.get(f"transition-plans/{plan['id']}/document") | change
    whole = {name: value for name, value in document.items() if value is not None}
    if key == "bdl-11":
        whole["entry"][0]["resource"]["code"] = {"text": "none"}
    judged = api.client.post("/fhir/Bundle/$validate", json=whole, content_type="application/fhir+json").json
    assert [issue["diagnostics"].partition(":")[0] for issue in judged["issue"] if issue["severity"] == "error"] == [key]


def test_every_route_of_a_referral_and_a_transition_is_asked_above():
    asked = {"candidates", "refer", "send", "answer", "cancel", "prepare", "document"}
    assert asked == {name for _, name in HANDING_ON}
