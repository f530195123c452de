"""A plan and its services by the case API: options, the client's word, adjustments, sessions."""

import pytest

from server.api import planning
from server.api.routes import routes

from .conftest import DANA, case, problem

PLANNING = frozenset((route.concept, route.name) for route in routes() if route.handler in vars(planning).values())


@pytest.fixture
def plan(api, alma):
    """A draft with two options, one service each, at different cost."""
    about = {"client": alma, "case": api.create("cases", case())["meta"]["reference"]}
    goals = [
        api.create("goals", {**about, "lifecycle": "active", "kind": kind, "description": "Kanarifugl walks", "expressed_by": alma})
        for kind in ("health_objective", "self_care")
    ]
    named = [goal["meta"]["reference"] for goal in goals]
    services = [
        api.create("planned-services", {**about, **service(), "goals": met, "estimated_cost": {"value": value, "currency": "USD"}})
        for met, value in ((named, 900), (named[:1], 400))
    ]
    text = "Kanarifugl practises three times a week."
    options = [
        {"id": id, "title": f"Rehabilitation {id}", "plain_text": text, "services": [each["meta"]["reference"]]}
        for id, each in zip("ab", services, strict=True)
    ]
    return api.create(
        "plans",
        {
            **about,
            "status": "draft",
            "intent": "plan",
            "goals": named,
            "options": options,
            "period": {"start": "2026-01-01"},
            "no_resource_applicable": True,
            "medical_necessity": {"summary": "Kanarifugl cannot walk", "services_determined": True},
            "social_situation": {"summary": "Kanarifugl lives with her sister", "none_identified": True},
        },
    )


def service():
    return {
        "status": "not_started",
        "intent": "proposal",
        "kind": "therapy",
        "description": "Kanarifugl's therapy",
        "setting": "clinic",
        "timing": {"start": "2026-01-05", "frequency": 2, "period": 1, "period_unit": "wk", "count": 4},
        "performers": ["Organization/clinic"],
        "outcome_monitor": "Organization/clinic",
        "medical_necessity": {"determination": "necessary"},
    }


def test_options_are_compared_by_cost_and_by_what_they_leave_open(api, plan):
    """C-06"""
    cheap, dear = api.get(f"plans/{plan['id']}/options")["items"]
    assert [(each["id"], each["cost"]["value"], each.get("unmet", [])) for each in (cheap, dear)] == [
        ("b", 400, plan["goals"][1:]),
        ("a", 900, []),
    ]


def test_an_option_is_chosen_after_it_was_shown_and_becomes_an_order(api, plan):
    """P-10, P-29"""
    told = problem(api.send("POST", f"plans/{plan['id']}/options/choice", {"option": "b"}), 422)
    assert told["rule"] == "option_not_shown"
    shown = api.send("POST", f"plans/{plan['id']}/options/presentation").json
    assert all(option["presented_at"] for option in shown["options"])
    chosen = api.send("POST", f"plans/{plan['id']}/options/choice", {"option": "b"}).json
    assert [(option["id"], option["chosen"]) for option in chosen["options"]] == [("a", False), ("b", True)]
    [order] = chosen["services"]
    intents = [row["intent"] for row in api.get(f"planned-services?client={plan['client']}")["items"]]
    assert sorted(intents) == ["order", "proposal", "proposal"]
    assert api.get(f"planned-services/{order.partition('/')[2]}")["intent"] == "order"
    problem(api.send("POST", f"plans/{plan['id']}/options/choice", {"option": "c"}), 404)


def test_the_client_s_word_is_kept_with_who_gave_it(api, plan):
    accepted = api.send("POST", f"plans/{plan['id']}/acceptance", {"status": "accepted", "by": plan["client"]})
    assert (accepted.status_code, accepted.json["acceptance"]["status"], accepted.json["acceptance"]["by"]) == (
        200,
        "accepted",
        plan["client"],
    )
    problem(api.send("POST", f"plans/{plan['id']}/acceptance", {"status": "pending", "by": plan["client"]}), 400)


@pytest.fixture
def active(api, plan):
    """The plan in force."""
    api.send("POST", f"plans/{plan['id']}/options/presentation")
    api.send("POST", f"plans/{plan['id']}/options/choice", {"option": "a"})
    accepted = api.send("POST", f"plans/{plan['id']}/acceptance", {"status": "accepted", "by": plan["client"]}).json
    answer = api.put(f"plans/{plan['id']}", {**accepted, "status": "active"})
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_minor_adjustment_is_a_new_version_once_the_client_accepts_it(api, active):
    """P-19"""
    proposed = api.send("POST", f"plans/{active['id']}/adjustments", {"reason": "barrier", "severity": "minor"}).json
    [adjustment] = proposed["adjustments"]
    step = {"proposed_at": adjustment["proposed_at"], "updates": {"title": "With transport"}}
    told = problem(api.send("POST", f"plans/{active['id']}/adjustments/application", step), 422)
    assert told["rule"] == "plan_not_accepted"
    word = {"proposed_at": adjustment["proposed_at"], "accepted": True}
    assert api.send("POST", f"plans/{active['id']}/adjustments/acceptance", word).status_code == 200
    after = api.send("POST", f"plans/{active['id']}/adjustments/application", step).json
    assert (after["title"], after["adjustments"][0]["resulting_plan_version"]) == ("With transport", after["meta"]["version"])
    assert "title" not in api.get(f"plans/{active['id']}/history")["items"][1]
    wrong = {**step, "updates": {"status": "completed"}}
    problem(api.send("POST", f"plans/{active['id']}/adjustments/application", wrong), 400)


def test_each_step_of_an_adjustment_is_taken_once_for_its_request(api, active):
    """P-19"""
    path = f"plans/{active['id']}/adjustments"
    proposal = {"reason": "barrier", "severity": "minor"}
    proposed = api.send("POST", path, proposal, Idempotency_Key="one").json
    assert api.send("POST", path, proposal, Idempotency_Key="one").json == proposed
    assert len(api.send("POST", path, proposal, Idempotency_Key="two").json["adjustments"]) == 2
    at = {"proposed_at": proposed["adjustments"][0]["proposed_at"]}
    assert problem(api.send("POST", f"{path}/acceptance", at | {"accepted": True}, Idempotency_Key="one"), 422)["rule"] == "request_reused"
    word = api.send("POST", f"{path}/acceptance", at | {"accepted": True}, Idempotency_Key="three").json
    step = at | {"updates": {"title": "With transport"}}
    applied = api.send("POST", f"{path}/application", step, Idempotency_Key="four")
    assert (applied.status_code, applied.json["meta"]["version"]) == (200, word["meta"]["version"] + 1)
    assert api.send("POST", f"{path}/application", step, Idempotency_Key="four").json == applied.json
    assert api.send("POST", f"{path}/acceptance", at | {"accepted": True}, Idempotency_Key="three").json == applied.json
    assert problem(api.send("POST", f"{path}/application", step), 409)["rule"] == "adjustment_applied"
    assert [request["step"] for request in applied.json["requests"]] == ["proposed", "proposed", "answered", "applied"]
    whole = {name: value for name, value in applied.json.items() if name != "requests"}
    edited = api.put(f"plans/{active['id']}", whole | {"title": "Another"}).json
    assert edited["requests"] == applied.json["requests"]
    assert problem(api.put(f"plans/{active['id']}", edited | {"requests": edited["requests"][:1]}), 422)["rule"] == "made_elsewhere"


def test_a_major_adjustment_is_a_draft_that_is_to_replace_the_plan(api, active):
    """P-19"""
    proposed = api.send("POST", f"plans/{active['id']}/adjustments", {"reason": "not_working", "severity": "major"}).json
    at = proposed["adjustments"][0]["proposed_at"]
    api.send("POST", f"plans/{active['id']}/adjustments/acceptance", {"proposed_at": at, "accepted": True})
    step = {"proposed_at": at, "updates": {"title": "A new one"}}
    draft = api.send("POST", f"plans/{active['id']}/adjustments/redraft", step)
    assert (draft.status_code, draft.json["status"], draft.json["replaces"]) == (201, "draft", [active["meta"]["reference"]])
    assert api.send("POST", f"plans/{active['id']}/adjustments/redraft", step).json == draft.json
    assert api.get(f"plans/{active['id']}")["status"] == "active"


def test_a_service_is_found_necessary_and_given_sessions_that_do_not_meet(api, plan):
    """P-09, P-33"""
    row = api.create("planned-services", {"client": plan["client"], **service(), "intent": "order"})
    path = f"planned-services/{row['id']}"
    found = api.send("POST", f"{path}/necessity", {"determination": "necessary", "rationale": "Kanarifugl cannot walk"}).json
    assert (found["medical_necessity"]["determination"], found["medical_necessity"]["decided_by"]) == ("necessary", DANA)
    starts = {"first": ["2026-01-05T09:00:00-05:00", "2026-01-07T09:00:00-05:00"], "minutes": 60}
    booked = api.send("POST", f"{path}/sessions", starts)
    assert booked.status_code == 200, booked.text
    assert len(booked.json["items"]) == 4
    spans = sorted((row["start"], row["end"]) for row in booked.json["items"])
    assert all(one[1] <= two[0] for one, two in zip(spans, spans[1:], strict=False))
    assert api.send("POST", f"{path}/sessions", starts).json == booked.json
    moved = api.send("POST", f"{path}/status", {"status": "in_progress"})
    assert moved.json["status"] == "in_progress", moved.text
    assert problem(api.send("POST", f"{path}/status", {"status": "not_started"}), 422)["rule"] == "service_status_invalid"


def test_every_route_of_a_plan_is_asked_above():
    asked = {"options", "present", "choose", "answer", "propose", "accept", "carry-out", "redraft", "decide", "move", "schedule"}
    assert asked == {name for _, name in PLANNING}
