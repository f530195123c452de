"""Each demand of a care model is met where the case has what it says, and named where it has not (DOMAIN §3.6, M-01 … M-05)."""

from typing import Any

import pytest

from adapter.cases import model_demands
from adapter.cases.facts import Facts, Situation
from adapter.cases.model_demands import CLOSED, FOLLOWED_UP, PLANNED, UNDER_WAY, lacking, may_treat

AT = "2025-04-22T09:00:00Z"
MANAGER = "Practitioner/dana"
TREATMENT = {"kind": "therapy", "intent": "plan", "performers": [MANAGER], "outcome_monitor": "Organization/rehab"}
LICENCE = {"kind": "RN", "active": True, "unrestricted": True}


def situation(models: list[str], **records: list[dict[str, Any]]) -> Situation:
    """A case that follows the models, with a plan over all the goals and services that are given."""
    known = {concept: {f"{concept}/{place}": fields for place, fields in enumerate(given)} for concept, given in records.items()}
    plan = {"intent": "plan", "status": "draft", "goals": [*known.get("goal", {})], "services": [*known.get("planned_service", {})]}
    manager = {MANAGER: next(iter(known.pop("case_manager", {}).values()), {})}
    case = {"case_manager": MANAGER, "models": [{"model": name} for name in models]}
    return Situation(case, Facts({**known, "plan": {"CarePlan/1": plan}, "case_manager": manager}), AT, MANAGER, None)


@pytest.mark.parametrize(
    ("models", "credentials", "allowed"),
    [
        (["brokerage"], [LICENCE], False),
        (["clinical"], [], True),
        (["brokerage", "clinical"], [], True),
        (["strengths_based"], [], False),
        (["strengths_based"], [LICENCE], True),
        (["intensive"], [{**LICENCE, "unrestricted": False}], False),
        (["intensive"], [{**LICENCE, "active": False}], False),
        (["brokerage", "intensive"], [LICENCE], True),
    ],
)
def test_m01_m02_the_case_manager_treats_only_as_the_models_permit(models, credentials, allowed):
    now = situation(models, planned_service=[TREATMENT], case_manager=[{"credentials": credentials}])
    assert may_treat(now) is allowed


def test_a_service_that_is_no_treatment_or_is_done_by_others_needs_no_permission():
    others = [{**TREATMENT, "performers": ["Practitioner/pat"]}, {**TREATMENT, "kind": "financial_planning"}]
    assert may_treat(situation(["brokerage"], planned_service=others))


STRENGTHS = [{"description": f"{number}"} for number in range(3)]
ROOTED = {"addresses": ["strength/0"], "expressed_by": "Patient/1"}
REFRAMING = {"kind": "education", "intent": "plan", "intervention_kind": "narrative_reframing"}
MET: dict[str, tuple[list[str], model_demands.Rows, dict[str, list[dict[str, Any]]]]] = {
    "monitor": (["brokerage"], PLANNED, {"planned_service": [TREATMENT]}),
    "strengths": (["strengths_based"], PLANNED, {"strength": STRENGTHS, "goal": [ROOTED], "planned_service": [REFRAMING]}),
    "referral": (["brokerage"], UNDER_WAY, {"task": [{"focus": "ServiceRequest/1", "status": "accepted"}]}),
    "confirmation": (["brokerage"], FOLLOWED_UP, {"task": [{"focus": "ServiceRequest/1", "status": "rejected"}]}),
    "contact": (["clinical"], FOLLOWED_UP, {"follow_up": [{"source": "client", "status": "completed"}]}),
    "network": (
        ["strengths_based"],
        FOLLOWED_UP,
        {"follow_up": [{"source": "client", "status": "completed"}, {"source": "support_network", "status": "completed"}]},
    ),
    "accompaniment": (
        ["intensive"],
        FOLLOWED_UP,
        {
            "follow_up": [{"source": "client", "status": "completed"}, {"source": "provider", "status": "completed"}],
            "appointment": [{"status": "fulfilled", "accompanied": False}],
        },
    ),
    "review": (["clinical"], CLOSED, {"outcome": [{"reviewed_by": MANAGER}]}),
}
UNMET = [
    ("monitor", {"planned_service": [{"kind": "therapy", "intent": "plan"}]}, "who monitors each service"),
    ("strengths", {"strength": STRENGTHS[:2]}, "more strengths"),
    ("strengths", {"goal": [ROOTED, {**ROOTED, "addresses": ["Condition/1"]}]}, "a strength for each goal"),
    ("strengths", {"planned_service": [{**REFRAMING, "intervention_kind": "other"}]}, "a service of each kind of intervention"),
    ("strengths", {"goal": [ROOTED, *[{**ROOTED, "expressed_by": MANAGER}] * 2]}, "more goals that the client"),
    ("referral", {"task": [{"focus": "ServiceRequest/1", "status": "requested"}]}, "a referral that was accepted"),
    ("confirmation", {"task": [{"focus": "ServiceRequest/1", "status": "received"}]}, "a provider's word"),
    ("contact", {"follow_up": [{"source": "client", "status": "attempted"}]}, "a completed contact"),
    ("network", {"follow_up": [{"source": "client", "status": "completed"}]}, "a completed contact"),
    ("accompaniment", {"appointment": [{"status": "fulfilled"}]}, "whether the case manager came along"),
    ("review", {"outcome": [{"reviewed_by": "Practitioner/monitor"}]}, "a case manager's own review"),
    ("review", {"outcome": [{}]}, "a case manager's own review"),
    ("review", {"outcome": [{"reviewed_by": MANAGER, "status": "entered_in_error"}]}, "a case manager's own review"),
]


@pytest.mark.parametrize("name", MET)
def test_nothing_is_lacking_where_the_case_has_what_its_models_demand(name):
    models, rows, records = MET[name]
    assert lacking(rows, situation(models, **records)) is None


@pytest.mark.parametrize(("name", "change", "named"), UNMET)
def test_what_a_model_demands_and_the_case_has_not_is_named(name, change, named):
    models, rows, records = MET[name]
    assert named in (lacking(rows, situation(models, **{**records, **change})) or "")


@pytest.mark.parametrize(("name", "change", "named"), UNMET)
def test_a_model_that_does_not_demand_it_does_not_ask_for_it(name, change, named):
    _, rows, records = MET[name]
    assert lacking(rows, situation([], **{**records, **change})) is None


def test_m05_together_the_demands_of_each_model_count():
    _, rows, records = MET["strengths"]
    together = situation(["strengths_based", "brokerage"], **records)
    assert "who monitors each service" in (lacking(rows, together) or "")
    assert lacking(rows, situation(["strengths_based"], **records)) is None


def test_a_model_whose_time_is_over_demands_nothing_more():
    now = situation([], planned_service=[{"kind": "therapy", "intent": "plan"}])
    now.case["models"] = [{"model": "brokerage", "period": {"end": "2025-04-21"}}]
    assert lacking(PLANNED, now) is None
