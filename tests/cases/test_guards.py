"""Each guard both ways: it holds where the stories pass it, and does not after one change."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapter.cases.facts import Situation
from adapter.cases.guards import GUARDS, OPENING, TAKING_ON, violations
from adapter.cases.workflow import TRANSITIONS
from tests.cases.stories import situation
from tests.cases.test_again import AGAIN

Change = Callable[[dict[str, Any], dict[str, dict[str, Any]]], object]


def _each(concept: str, **fields: object) -> Change:
    """Give every record of the concept these fields; None takes the field away."""

    def change(case: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
        for record in records[concept].values():
            for name, value in fields.items():
                record.pop(name, None) if value is None else record.update({name: value})

    return change


def _case(**fields: object) -> Change:
    def change(case: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
        for name, value in fields.items():
            case.pop(name, None) if value is None else case.update({name: value})

    return change


def _without(concept: str) -> Change:
    return lambda case, records: records.pop(concept)


def _inner(concept: str, path: str, value: object) -> Change:
    """Set a nested field of every record of the concept; None takes it away."""

    def change(case: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
        *way, last = path.split(".")
        for record in records[concept].values():
            at: Any = record
            for step in way:
                at = at[int(step)] if step.isdigit() else at[step]
            at.pop(last, None) if value is None else at.update({last: value})

    return change


def _second_manager(case: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
    records["case_manager"]["Practitioner/other"] = next(iter(records["case_manager"].values()))
    for team in records["care_team"].values():
        team["participants"].append({"member": "Practitioner/other"})


def _own_treatment(case: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
    case["models"] = [{"model": "brokerage", "primary": True}]
    for service in records["planned_service"].values():
        service["performers"] = [case["case_manager"]]


def _own_unrecorded_treatment(case: dict[str, Any], records: dict[str, dict[str, Any]]) -> None:
    for service in records["planned_service"].values():
        service["performers"] = [case["case_manager"]]
    for meeting in records["encounter"].values():
        meeting.pop("participants", None)


def _models(*names: str) -> list[dict[str, object]]:
    return [{"model": name, "primary": place == 0, "assigned_by": "Practitioner/1"} for place, name in enumerate(names)]


BROKEN: list[tuple[str, str, str, Change]] = [
    ("start", "river", "TR-01", _without("client")),
    ("start", "river", "TR-01", _case(models=None)),
    ("start", "river", "TR-01", _case(models=[{"model": "clinical", "primary": True}, {"model": "intensive", "primary": True}])),
    ("start", "river", "TR-01", _case(case_manager=None)),
    ("V-01", "alma", "TR-01", _each("case_manager", caseload_limit=19)),
    ("V-02", "river", "TR-01", _inner("case_manager", "credentials.0.active", False)),
    ("V-02", "river", "TR-01", _inner("case_manager", "credentials.0.period", {"end": "2025-04-14"})),
    ("V-03", "river", "TR-01", _second_manager),
    ("V-03", "river", "TR-01", _without("case_manager")),
    ("V-05", "river", "TR-05", _each("encounter", status="planned")),
    ("V-05", "river", "TR-05", _each("encounter", period={"start": "2025-04-19"})),
    ("V-05", "river", "TR-05", _each("assessment", meetings=["Encounter/none"])),
    ("V-08", "river", "TR-08", _inner("case_manager", "credentials.0.unrestricted", False)),
    ("V-08", "alma", "TR-08", _case(models=[{"model": "clinical", "primary": True}])),
    ("V-09", "river", "TR-08", _each("plan", status="revoked")),
    ("V-09", "river", "TR-08", _each("goal", kind="personal")),
    ("V-09", "river", "TR-08", _each("goal", kind="health_objective")),
    ("V-09", "river", "TR-08", _each("planned_service", setting=None)),
    ("V-09", "river", "TR-08", _each("planned_service", timing=None)),
    ("V-09", "river", "TR-08", _each("planned_service", performers=None)),
    ("V-09", "river", "TR-08", _each("plan", resources=None)),
    ("V-10", "river", "TR-08", _each("plan", medical_necessity=None)),
    ("V-10", "river", "TR-08", _each("goal", expressed_by="Practitioner/1")),
    ("V-10", "river", "TR-08", _inner("plan", "social_situation.sdoh_needs", None)),
    ("V-11 necessity", "river", "TR-08", _each("planned_service", goals=None)),
    ("V-11 necessity", "river", "TR-08", _inner("planned_service", "medical_necessity.determination", "undetermined")),
    ("V-11 authorisation", "river", "TR-10", _each("authorisation", status="denied")),
    ("V-12", "river", "TR-08", _inner("goal", "targets.0.due", "2025-10-23")),
    (
        "V-12",
        "river",
        "TR-08",
        lambda case, records: [goal["targets"].append({"value": {"text": "x"}}) for goal in records["goal"].values()],
    ),
    ("V-14", "river", "TR-17", _each("outcome", well_being=None)),
    ("V-14", "river", "TR-17", _each("outcome", finances=None)),
    ("V-14", "river", "TR-17", _each("outcome", care_appropriateness=None)),
    ("V-14", "river", "TR-17", _each("outcome", reviewed_by=None)),
    ("V-14", "river", "TR-17", _each("outcome", reviewed_by="Practitioner/monitor")),
    ("screened", "river", "TR-02", _each("screening", status="in_progress")),
    ("screened", "river", "TR-02", _each("screening", disposition="monitor")),
    ("screened", "river", "TR-02", _inner("screening", "domains.living", None)),
    ("screened", "river", "TR-02", _each("screening", answers=None)),
    ("screened", "river", "TR-02", _inner("screening", "scores.0.complete", False)),
    ("screened", "river", "TR-02", _inner("screening", "record_review.sources", None)),
    ("assessed", "river", "TR-05", _each("assessment", status="in_progress")),
    ("assessed", "river", "TR-05", _each("assessment", insurance={})),
    ("assessed", "river", "TR-05", _inner("assessment", "treatment_history.items", None)),
    ("risk", "river", "TR-06", _each("risk_evaluation", status="preliminary")),
    ("risk", "river", "TR-06", _inner("risk_evaluation", "factors.3.evidence", None)),
    ("risk", "river", "TR-06", _inner("risk_evaluation", "potential_for_change.rationale", None)),
    ("risk", "river", "TR-06", _each("risk_evaluation", tier=None)),
    ("accepted", "river", "TR-08", _inner("plan", "acceptance.status", "pending")),
    ("model", "alma", "TR-08", _case(models=_models("strengths_based"))),
    ("model", "alma", "TR-08", _each("planned_service", outcome_monitor=None)),
    ("model", "river", "TR-08", _case(models=_models("strengths_based"))),
    (
        "under way",
        "river",
        "TR-10",
        lambda case, records: (_each("planned_service", status="not_started")(case, records), records.pop("appointment")),
    ),
    ("under way", "alma", "TR-10", _each("task", status="rejected")),
    ("contact", "river", "TR-12", _each("follow_up", status="attempted")),
    ("contact", "river", "TR-12", _each("follow_up", goal_reviews=None)),
    ("contact", "river", "TR-12", _each("follow_up", next_contact_due=None)),
    ("contact", "river", "TR-12", _each("follow_up", adjustment_decision=None, treatment_working="no")),
    ("major", "alma", "TR-14", _inner("plan", "adjustments.0.severity", "minor")),
    ("major", "alma", "TR-14", _inner("plan", "adjustments.0.accepted_by_client", False)),
    ("minor", "river", "TR-15", _inner("plan", "adjustments.0.resulting_plan_version", None)),
    ("ready to close", "river", "TR-13", _each("barrier", status="open")),
    ("ready to close", "alma", "TR-13", _each("goal", achievement=None)),
    ("transition", "river", "TR-17", _each("outcome", transition="open")),
    ("responsible", "river", "TR-17", _case(case_manager="Practitioner/other")),
    ("window", "alma", "TR-19", _inner("outcome", "readmission.within_30_days", "no")),
    ("no active plan", "river", "TR-02", lambda case, records: records.update(plan={"CarePlan/1": {"status": "active", "intent": "plan"}})),
    ("V-08 licence", "river", "TR-08", _inner("case_manager", "credentials.0.unrestricted", False)),
    ("V-09", "river", "TR-08", lambda case, records: next(iter(records["planned_service"].values())).pop("performers")),
    ("V-11 necessity", "river", "TR-08", _inner("planned_service", "medical_necessity.determination", "not_necessary")),
    ("V-17", "river", "TR-01", _case(case_type="targeted")),
    ("V-17", "river", "TR-01", lambda case, records: (_case(case_type="focused")(case, records), records.pop("condition"))),
    ("V-17", "alma", "TR-01", _without("encounter")),
    ("V-19", "river", "TR-06", _each("risk_evaluation", urgent_flags=["suicide_item"])),
    ("finances", "river", "TR-08", _each("goal", kind="health_objective")),
    ("option", "alma", "TR-08", _inner("plan", "options.0.chosen", False)),
    ("direct care", "river", "TR-08", _own_treatment),
    ("ready to close", "river", "TR-13", _each("follow_up", source="provider")),
    ("V-14", "river", "TR-17", _own_unrecorded_treatment),
    ("V-14", "river", "TR-17", _case(models=_models("strengths_based"))),
    (
        "V-14",
        "river",
        "TR-17",
        lambda case, records: (_case(models=_models("intensive"))(case, records), _each("follow_up", goal_reviews=None)(case, records)),
    ),
]


def _after(now: Situation, change: Change) -> Situation:
    case, records = copy.deepcopy(now.case), copy.deepcopy(dict(now.facts.records))
    change(case, records)
    return replace(now, case=case, facts=replace(now.facts, records=records))


@pytest.mark.parametrize(("guard", "name", "transition", "change"), BROKEN)
def test_a_guard_holds_in_the_story_and_not_after_one_change(guard: str, name: str, transition: str, change: Change):
    now = situation(name, transition)
    assert violations((guard,), now) == []
    found = violations((guard,), _after(now, change))
    assert [code for code, _ in found] == [GUARDS[guard][0]]
    assert "Kanarifugl" not in str(found)


@pytest.mark.parametrize(
    ("guard", "disposition"),
    [("not eligible", {"disposition": "not_eligible"}), ("re-screen", {"rescreen_on": "2025-05-01"})],
)
def test_a_screening_that_does_not_proceed_opens_its_own_way(guard: str, disposition: dict[str, object]):
    now = situation("river", "TR-02")
    assert [code for code, _ in violations((guard,), now)] == ["step_incomplete"]
    assert violations((guard,), _after(now, _each("screening", **disposition))) == []


def test_a_full_caseload_takes_a_supervisor_and_a_reason():
    now = situation("alma", "TR-01")
    full = replace(now, facts=replace(now.facts, open_cases=20))
    assert [code for code, _ in violations(("V-01",), full)] == ["caseload_exceeded"]
    led = replace(full, facts=replace(full.facts, supervisor=True))
    assert [code for code, _ in violations(("V-01",), led)] == ["caseload_exceeded"]
    assert violations(("V-01",), replace(led, reason="a colleague is ill")) == []


def test_reason_supervisor_and_close_reason_are_asked_for():
    now = replace(situation("river", "TR-17"), reason=None)
    bare = _after(now, _case(close_reason=None))
    assert [code for code, _ in violations(("reason", "supervisor", "close reason"), bare)] == [
        "reason_missing",
        "not_responsible",
        "reason_missing",
    ]
    led = replace(now, reason="x", facts=replace(now.facts, supervisor=True))
    assert violations(("reason", "supervisor", "close reason", "responsible"), led) == []


def test_a_case_can_be_reopened_for_ninety_days():
    now = _after(situation("river", "TR-17"), _case(closed_at="2025-10-24"))
    assert violations(("recent",), replace(now, at="2026-01-22T09:00:00Z")) == []
    assert [code for code, _ in violations(("recent",), replace(now, at="2026-01-23T09:00:00Z"))] == ["too_late"]


def test_an_open_barrier_may_stay_with_a_reason():
    now = situation("river", "TR-13")
    assert violations(("ready to close",), _after(now, _each("barrier", status="open", accepted_reason="x"))) == []


def test_a_client_has_one_open_case_of_a_type_and_organisation():
    """V-04, P-31"""
    now = situation("river", "TR-01")
    other = {name: now.case[name] for name in ("client", "case_type", "managing_organization")}
    double = replace(now, facts=replace(now.facts, siblings={"EpisodeOfCare/2": other}))
    assert [code for code, _ in violations(("V-04",), double)] == ["duplicate_case"]
    elsewhere = replace(now, facts=replace(now.facts, siblings={"EpisodeOfCare/2": other | {"managing_organization": "Organization/2"}}))
    assert violations(("V-04",), elsewhere) == violations(("V-04",), now) == []


def test_a_targeted_case_is_for_members_of_its_target_group():
    """V-17, T-02"""
    now = _after(situation("river", "TR-01"), _case(case_type="targeted"))
    member = replace(now, facts=replace(now.facts, groups=frozenset({"Group/chronic"})))
    assert violations(("V-17",), member) == []
    assert violations(("V-17",), _after(member, _case(target_group="Group/other"))) != []


def test_an_urgent_flag_needs_a_task_within_a_day_and_a_high_tier():
    """V-19"""
    now = _after(situation("river", "TR-06"), _each("risk_evaluation", urgent_flags=["suicide_item"]))
    [(reference, risk)] = now.facts.of("risk_evaluation").items()

    def with_task(due: str, **fields: str) -> Situation:
        task = {"status": "requested", "focus": reference, "due": due} | fields
        return _after(now, lambda case, records: records.update(task={"Task/1": task}))

    assert violations(("V-19",), with_task("2025-04-19T10:00:00-04:00")) == []
    assert [code for code, _ in violations(("V-19",), with_task("2025-04-19T12:00:00-04:00"))] == ["urgency_unanswered"]
    assert violations(("V-19",), with_task("2025-04-19T10:00:00-04:00", status="rejected"))
    assert violations(("V-19",), _after(with_task("2025-04-19T10:00:00-04:00"), _each("risk_evaluation", tier="low")))


@pytest.mark.parametrize(
    "news",
    [
        lambda case, records: records["encounter"].update(
            {"Encounter/2": {"encounter_class": {"code": "EMER"}, "status": "finished", "period": {"start": "2025-02-26T13:00:00-05:00"}}}
        ),
        lambda case, records: records["condition"].update({"Condition/2": {"recorded_at": "2025-02-27"}}),
        lambda case, records: records["risk_evaluation"].update(
            {"RiskAssessment/2": {"status": "preliminary", "at": "2025-02-26T13:00:00-05:00", "urgent_flags": ["suicide_item"]}}
        ),
        _each("risk_evaluation", at="2024-11-20T12:00:00-05:00"),
    ],
)
def test_what_is_new_since_the_risk_evaluation_lets_a_case_be_stratified_again(news: Change):
    now = _after(situation("alma", "TR-14"), _each("risk_evaluation", at="2025-02-26T12:00:00-05:00"))
    assert [code for code, _ in violations(("risk moved",), now)] == ["risk_unchanged"]
    assert violations(("risk moved",), _after(now, news)) == []


def test_a_service_that_is_not_necessary_can_be_paid_by_the_client():
    """P-09, V-11"""
    now = _after(situation("river", "TR-08"), _inner("planned_service", "medical_necessity.determination", "not_necessary"))
    assert [code for code, _ in violations(("V-11 necessity",), now)] == ["service_unjustified"]
    assert violations(("V-11 necessity",), _after(now, _each("planned_service", self_funded=True))) == []


def test_finances_at_risk_may_stay_without_a_goal_with_a_reason():
    """P-30"""
    now = _after(situation("river", "TR-08"), _each("goal", kind="health_objective"))
    assert violations(("finances",), replace(now, reason="the income is back")) == []


def test_a_plan_from_a_template_needs_what_the_client_wants():
    """C-08, P-08, V-10"""
    now = _after(situation("river", "TR-08"), _each("goal", expressed_by=None))
    assert [code for code, _ in violations(("V-10",), now)] == ["plan_balance"]
    assert (
        violations(("V-10",), _after(now, lambda case, records: next(iter(records["goal"].values())).update(expressed_by="Patient/1")))
        == []
    )


def test_an_outcome_need_not_say_what_its_case_s_records_tell():
    """V-14, V-15"""
    now = _after(situation("river", "TR-17"), _each("outcome", readmission=None, length_of_stay_days=None))
    assert violations(("V-14",), now) == []
    unknown = replace(now, facts=replace(now.facts, records={**now.facts.records, "case": {}}))
    assert [code for code, _ in violations(("V-14",), unknown)] == ["outcome_incomplete"]


def test_the_client_of_a_strengths_based_case_rates_how_far_they_were_empowered():
    """M-03, §3.6"""
    now = _after(situation("river", "TR-17"), _case(models=_models("strengths_based")))
    rating = {"code": {"code": "empowerment-rating"}, "value": {"integer": 4}}
    rated = _after(now, lambda case, records: records["measurement"].update({"Observation/rating": rating}))
    assert violations(("V-14",), now) != violations(("V-14",), rated) == []


def test_every_guard_is_used_and_tried():
    used = {guard for row in TRANSITIONS for guard in row.guards} | {*OPENING, *TAKING_ON}
    tried = {guard for guard, *_ in BROKEN} | {
        "not eligible",
        "re-screen",
        "reason",
        "supervisor",
        "close reason",
        "recent",
        "V-04",
        "risk moved",
        *AGAIN,
    }
    assert used == set(GUARDS) == tried
