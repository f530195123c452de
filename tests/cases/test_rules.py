"""The rules of a record that is written, each both ways."""

from typing import Any

import pytest

from adapter.cases.dates import PERFORMED, alike
from adapter.cases.facts import Facts, Situation
from adapter.cases.registry import RECORDS
from adapter.cases.rules import NORMAL, REACHED, READINESS, RULES, Writing, broken
from adapter.cases.story import Saved, _of_case, replay
from adapter.errors import NotNow
from tests.cases.stories import NAMES, story

AT = "2025-05-01T12:00:00Z"
CLIENT = {"client": "Patient/1"}


def codes(
    concept: str, fields: dict[str, Any], *, before: dict[str, Any] | None = None, reason: str | None = None, **around: Any
) -> list[str]:
    """The codes of the rules that such a record breaks, among records given by concept, in a case of these `case` fields."""
    case = {"client": "Patient/1", "case_manager": "Practitioner/dana"} | around.pop("case", {})
    medications = around.pop("medications", {})

    def look() -> Situation:
        return Situation(case, Facts(around, medications=medications), AT, "Practitioner/dana", reason)

    found = [*broken(Writing(concept, fields, before or {}, AT, look), reason=reason)]
    assert all(error.expression or error.code.startswith(("plan_", "step_", "meeting_")) for error in found)
    return [error.code for error in found]


@pytest.mark.parametrize("name", NAMES)
def test_a_story_breaks_no_rule(name: str):
    now: dict[str, Saved] = {}
    for entry, written in replay(story(name)):
        for saved in written:
            before = now.get(saved.reference)
            now[saved.reference] = saved
            case = saved.reference if saved.concept == "case" else saved.fields.get("case", "")
            fields = now[case].fields if case in now else {"client": saved.fields.get("client", "")}
            around = Situation(fields, Facts(_of_case(now, case)), entry.at, entry.by, None)
            writing = Writing(saved.concept, saved.fields, before.fields if before else {}, entry.at, lambda around=around: around)
            assert [error.code for error in broken(writing)] == []


def pressure(systolic: object, diastolic: object, unit: str = "mm[Hg]") -> dict[str, Any]:
    sides = (("8480-6", systolic), ("8462-4", diastolic))
    parts = [{"code": {"code": code}, "value": {"quantity": {"value": value, "code": unit}}} for code, value in sides]
    return CLIENT | {"status": "final", "code": {"code": "85354-9"}, "components": parts}


def test_a_blood_pressure_is_plausible():
    """V-06"""
    assert codes("measurement", pressure(118, 76)) == codes("measurement", CLIENT | {"status": "final", "code": {"code": "718-7"}}) == []
    for implausible in (pressure(80, 120), pressure(301, 100), pressure(118, 19), pressure(118, 76, "kPa")):
        assert codes("measurement", implausible) == ["bp_implausible"]


def answered(*values: str) -> dict[str, Any]:
    items = ("44250-9", "44255-8")
    answers = [{"link_id": item, "values": [{"code": {"code": value}}]} for item, value in zip(items, values, strict=False)]
    return CLIENT | {"status": "completed", "instrument": "https://casebridge.example/fhir/Questionnaire/phq2|1.0.0", "answers": answers}


def test_answers_are_in_range_and_may_be_incomplete():
    """V-07"""
    assert codes("response", answered("LA6568-5", "LA6569-3")) == codes("response", answered("LA6568-5")) == []
    assert codes("response", answered("LA6568-5", "LA33-6")) == ["score_incomplete"]


def test_a_target_with_a_value_has_its_measure():
    """V-12, C-16, gol-1"""
    goal = CLIENT | {"lifecycle": "active", "targets": [{"value": {"text": "walks"}}]}
    assert codes("goal", goal) == ["goal_target_invalid"]
    assert codes("goal", goal | {"targets": [{"value": {"text": "walks"}, "measure": {"text": "gait"}}]}) == []


def test_what_was_done_was_not_done_in_the_future():
    """V-18"""
    assert codes("client", {"birth_date": "2025-05-02"}) == []  # where it is tomorrow already
    assert codes("client", {"birth_date": "2025-05-03"}) == ["date_invalid"]
    contact = CLIENT | {"source": "provider", "status": "planned", "occurred_at": "2025-05-01T12:00:01Z"}
    assert codes("follow_up", contact) == ["date_invalid"]
    assert codes("follow_up", contact | {"occurred_at": "2025-05-01T08:00:00-04:00"}) == []
    booked = CLIENT | {"status": "booked", "start": "2025-06-01T10:00:00Z"}
    assert codes("appointment", booked) == []
    assert codes("appointment", booked | {"status": "fulfilled", "accompanied": True}) == ["date_invalid"]
    assert codes("encounter", CLIENT | {"status": "planned", "period": {"start": "2025-05-04", "end": "2025-05-03"}}) == ["date_invalid"]
    assert all(RECORDS[concept].field(path) is not None for concept, paths in PERFORMED.items() for path in paths)


def consent(*performers: str, **fields: str) -> dict[str, Any]:
    return CLIENT | {"status": "active", "scope": "sharing_payer", "performers": [*performers]} | fields


def test_who_cannot_decide_alone_is_spoken_for_by_who_may():
    """P-32"""
    clients = {"Patient/1": {"capacity": "impaired"}}
    people = {"RelatedPerson/sam": {"is_decision_maker": True}, "RelatedPerson/jon": {}}

    def about(fields: dict[str, Any]) -> list[str]:
        return codes("consent", fields, client=clients, support_person=people)

    assert about(consent("RelatedPerson/sam")) == about(consent("Patient/1", status="draft")) == []
    assert about(consent("Patient/1")) == about(consent("RelatedPerson/jon")) == about(consent("Practitioner/lee")) == ["consent_invalid"]
    assert about(consent("Practitioner/lee", scope="treatment")) == []
    assert codes("consent", consent("Patient/1"), client={"Patient/1": {"capacity": "intact"}}) == []


def test_brokerage_alone_does_not_let_the_case_manager_treat():
    """M-01, M-02"""
    fields = CLIENT | {"status": "not_started", "intent": "order", "kind": "therapy", "performers": ["Practitioner/dana"]}
    plan = {"CarePlan/1": {"intent": "plan", "status": "active", "services": ["ServiceRequest/1"]}}
    around = {"plan": plan, "planned_service": {"ServiceRequest/1": fields}}
    brokerage, clinical = {"model": "brokerage", "primary": True}, {"model": "clinical"}
    assert codes("planned_service", fields, case={"models": [brokerage]}, **around) == ["model_forbids_direct_care"]
    assert codes("planned_service", fields, case={"models": [brokerage, clinical]}, **around) == []
    referred = fields | {"performers": ["Practitioner/kim"]}
    assert codes("planned_service", referred, case={"models": [brokerage]}, plan=plan) == []


def test_a_service_goes_on_in_order():
    """C-17"""
    service = CLIENT | {"kind": "therapy"}
    for old, new, found in (
        ("not_started", "scheduled", []),
        ("in_progress", "completed", []),
        ("completed", "in_progress", ["service_status_invalid"]),
        ("cancelled", "scheduled", ["service_status_invalid"]),
        ("completed", "entered_in_error", []),
    ):
        assert codes("planned_service", service | {"status": new}, before=service | {"status": old}) == found


def test_a_service_without_its_authorisation_is_booked_with_a_reason_only():
    """C-22"""
    booked = CLIENT | {"status": "booked", "services": ["ServiceRequest/1"]}
    around: dict[str, Any] = {"planned_service": {"ServiceRequest/1": {"authorisation_required": "yes"}}}
    assert codes("appointment", booked, **around) == ["authorisation_missing"]
    assert codes("appointment", booked, reason="the insurer confirmed by phone", **around) == []
    assert codes("appointment", booked | {"status": "proposed"}, **around) == []
    around["authorisation"] = {"ClaimResponse/1": {"service": "ServiceRequest/1", "status": "approved"}}
    assert codes("appointment", booked, **around) == []
    [error] = broken(
        Writing("appointment", booked, {}, AT, lambda: Situation({}, Facts({"planned_service": around["planned_service"]}), AT, "", None))
    )
    assert isinstance(error, NotNow)


def test_an_intensive_case_manager_says_whether_they_came_along():
    """M-04"""
    done = CLIENT | {"status": "fulfilled", "start": "2025-04-30T10:00:00Z"}
    intensive = {"models": [{"model": "intensive", "primary": True}]}
    assert codes("appointment", done, case=intensive) == ["accompaniment_missing"]
    assert codes("appointment", done | {"accompanied": False}, case=intensive) == codes("appointment", done) == []


def test_a_barrier_leads_to_a_proposal_or_a_reason():
    """P-20"""
    contact = CLIENT | {"status": "completed", "source": "provider", "barriers": ["Condition/1"]}
    assert codes("follow_up", contact) == ["decision_missing"]
    assert codes("follow_up", contact | {"adjustment_decision": {"decision": "none_needed"}}) == ["decision_missing"]
    assert codes("follow_up", contact | {"adjustment_decision": {"decision": "none_needed", "reason": "a ride was found"}}) == []
    assert codes("follow_up", contact | {"adjustment_decision": {"decision": "proposed"}}) == []
    assert codes("follow_up", contact | {"barriers": [], "treatment_working": "no"}) == ["decision_missing"]


def test_a_contact_with_the_client_looks_at_each_active_goal():
    """P-17"""
    around = {
        "plan": {"CarePlan/1": {"status": "active", "intent": "plan", "goals": ["Goal/1", "Goal/2"]}},
        "goal": {"Goal/1": {"lifecycle": "active"}, "Goal/2": {"lifecycle": "cancelled"}},
    }
    contact = CLIENT | {"status": "completed", "source": "client"}
    assert codes("follow_up", contact, **around) == ["goals_unreviewed"]
    seen = contact | {"goal_reviews": [{"goal": "Goal/1", "achievement": "not_reviewed"}]}
    assert codes("follow_up", seen, **around) == codes("follow_up", contact | {"source": "provider"}, **around) == []


def test_each_prescription_is_asked_about():
    """P-28"""
    contact = CLIENT | {"status": "completed", "source": "client"}
    taken = {"MedicationRequest/1": {"code": "314076", "display": "lisinopril 10 MG"}}
    assert codes("follow_up", contact, medications=taken) == ["adherence_missing"]
    asked = contact | {"medication_adherence": [{"medication": {"text": "Lisinopril 10 mg"}, "value": "not_assessed"}]}
    assert codes("follow_up", asked, medications=taken) == codes("follow_up", contact | {"source": "provider"}, medications=taken) == []


def test_why_a_client_is_not_eligible_is_kept():
    """P-02"""
    screening = CLIENT | {"disposition": "not_eligible"}
    assert codes("screening", screening) == ["reason_missing"]
    assert codes("screening", screening | {"disposition_reason": "lives elsewhere"}) == []


def test_an_urgent_flag_makes_the_tier_high():
    """V-19"""
    risk = {"status": "final", "tier": "low", "urgent_flags": ["suicide_item"]}
    assert codes("risk_evaluation", risk) == ["urgency_unanswered"]
    assert codes("risk_evaluation", risk | {"tier": "high"}) == codes("risk_evaluation", risk | {"status": "preliminary"}) == []


def test_a_plan_is_put_into_force_as_at_its_transition_and_is_history_once_it_is_over():
    """C-04, P-07, A-10"""
    plan = CLIENT | {"case": "EpisodeOfCare/1", "status": "active", "intent": "plan"}
    assert codes("plan", plan, before=plan | {"status": "draft"}, plan={"CarePlan/1": plan}) == ["plan_incomplete"]
    assert codes("plan", plan, before=plan) == codes("plan", plan | {"status": "draft"}) == []
    over = plan | {"status": "revoked"}
    assert codes("plan", over | {"title": "new"}, before=over) == ["plan_over"]
    assert codes("plan", over, before=plan) == codes("plan", plan | {"status": "entered_in_error"}, before=over) == []


def test_an_option_that_is_shown_is_in_plain_words():
    """P-10"""
    shown = {"id": "a", "title": "A", "presented_at": AT}
    assert codes("plan", {"status": "draft", "options": [shown]}) == ["plain_text_missing"]
    assert codes("plan", {"status": "draft", "options": [shown | {"plain_text": "You stay at home."}]}) == []


def test_an_assessment_is_completed_after_a_meeting():
    """P-03, P-04, V-05"""
    done = CLIENT | {"case": "EpisodeOfCare/1", "status": "completed", "meetings": ["Encounter/1"], "summary": "x"}
    whole = done | {name: {"not_available_reason": "x"} for name in ("insurance", "support_systems", "treatment_history")}
    meeting = CLIENT | {"status": "finished", "period": {"start": "2025-04-30"}}
    assert codes("assessment", whole, assessment={"ClinicalImpression/1": whole}) == ["meeting_missing"]
    around = {"encounter": {"Encounter/1": meeting}}
    assert codes("assessment", done, assessment={"ClinicalImpression/1": done}, **around) == ["step_incomplete"]
    assert codes("assessment", whole, assessment={"ClinicalImpression/1": whole}, **around) == []
    later = whole | {"effective_at": "2025-05-01"}
    assert codes("assessment", whole | {"meetings": ["Encounter/2"]}, assessment={"ClinicalImpression/1": later}, **around) == [
        "meeting_missing"
    ]


def test_what_the_coverage_says_of_a_service_counts_where_the_service_does_not_know():
    """C-22"""
    booked = CLIENT | {"status": "booked", "services": ["ServiceRequest/1"]}
    therapy = {"ServiceRequest/1": {"kind": "therapy", "code": {"code": "91251008"}}}
    demanding = {"insurance": [{"coverage": "Coverage/1", "benefits": [{"code": {"code": "91251008"}, "authorization_required": True}]}]}
    told = {"eligibility_response": {"CoverageEligibilityResponse/1": demanding}}
    assert codes("appointment", booked, planned_service=therapy, **told) == ["authorisation_missing"]
    benefits = {"coverage": {"Coverage/1": {"benefits": [{"category": "therapy", "authorization_required": True}]}}}
    assert codes("appointment", booked, planned_service=therapy, **benefits) == ["authorisation_missing"]
    other = {"ServiceRequest/1": {"kind": "transport"}}
    assert (
        codes("appointment", booked, planned_service=other, **told, **benefits)
        == codes("appointment", booked, planned_service=therapy)
        == []
    )
    free = {"ServiceRequest/1": therapy["ServiceRequest/1"] | {"authorisation_required": "no"}}
    assert codes("appointment", booked, planned_service=free, **told) == []


def test_a_discharge_is_ready_when_all_is_done_or_does_not_apply():
    """P-23, P-12"""
    lessons = {topic: {"status": "completed", "topic": topic} for topic in ("lifestyle", "medication_administration", "when_to_return")}
    done = CLIENT | {"status": "completed", "readiness": {item: {"status": "done"} for item in READINESS}}

    def about(education: dict[str, Any] = lessons, **items: dict[str, str]) -> list[str]:
        return codes("transition_plan", done | {"readiness": done["readiness"] | items}, education=education)

    assert about() == about(equipment={"status": "not_applicable", "reason": "none needed"}) == []
    assert about(transport={"status": "open"}) == about(equipment={"status": "not_applicable"}) == ["readiness_open"]
    assert about({name: lesson for name, lesson in lessons.items() if name != "lifestyle"}) == ["readiness_open"]
    assert (
        about({}, **{f"education_{name}": {"status": "done", "reason": "by the ward"} for name in ("lifestyle", "medication", "return")})
        == []
    )
    assert codes("transition_plan", CLIENT | {"status": "in_progress"}) == []
    late = done | {"target_date": "2025-04-01", "actual_date": "2025-04-03"}
    assert codes("transition_plan", late, education=lessons) == ["reason_missing"]
    assert codes("transition_plan", late | {"delay_reason": "no bed"}, education=lessons) == []


def test_a_programme_s_answer_has_its_date():
    """P-13"""
    assert codes("programme_application", CLIENT | {"status": "enrolled"}) == ["decision_undated"]
    assert codes("programme_application", CLIENT | {"status": "enrolled", "decided_at": "2025-04-30"}) == []
    assert codes("programme_application", CLIENT | {"status": "submitted"}) == []


def test_a_certificate_names_its_issuer():
    """A-15, K-01"""
    assert codes("case_manager", {"credentials": [{"kind": "CCM"}]}) == ["issuer_missing"]
    assert codes("case_manager", {"credentials": [{"kind": "CCM", "issuer": "Organization/ccmc"}, {"kind": "RN"}]}) == []


def agreed(actor: str | None = None, scope: str = "sharing_support", **fields: Any) -> dict[str, Any]:
    named = {"actor": actor} if actor else {}
    return {"Consent/1": CLIENT | {"status": "active", "scope": scope, "decision": "permit"} | named | fields}


@pytest.mark.parametrize(
    ("consents", "told"),
    [
        ({}, False),
        (agreed("RelatedPerson/sam"), True),
        (agreed(), True),
        (agreed(scope="sharing"), True),
        (agreed("RelatedPerson/jon"), False),
        (agreed(scope="sharing_payer"), False),
        (agreed(scope="treatment"), False),
        (agreed(status="inactive"), False),
        (agreed(period={"end": "2025-04-30"}), False),
        (agreed() | {"Consent/2": agreed("RelatedPerson/sam", decision="deny")["Consent/1"]}, False),
    ],
)
def test_nobody_is_told_without_the_client_s_consent(consents: dict[str, Any], told: bool):
    """V-16, A-07"""
    word = CLIENT | {"kind": "information", "status": "completed", "addressed_to": ["RelatedPerson/sam", "Patient/1", "Practitioner/lee"]}
    assert codes("advocacy", word, consent=consents) == ([] if told else ["consent_missing"])


def test_a_message_to_a_support_person_needs_consent_once_it_is_sent():
    """V-16, A-07, C-10"""
    message = CLIENT | {"status": "completed", "recipients": ["RelatedPerson/sam"]}
    assert codes("message", message) == ["consent_missing"]
    assert codes("message", message, consent=agreed()) == codes("message", message | {"status": "preparation"}) == []


def test_an_insurer_is_told_with_consent_to_that():
    """V-16, A-09"""
    word = CLIENT | {"kind": "liaison", "status": "completed", "addressed_to": ["Organization/payer"]}
    payer = {"Organization/payer": {"kind": "insurer"}}
    assert codes("advocacy", word, stakeholder=payer) == ["consent_missing"]
    assert codes("advocacy", word, stakeholder=payer, consent=agreed(scope="sharing_payer")) == []
    assert codes("advocacy", word, stakeholder={"Organization/payer": {"kind": "hospital"}}) == []


def test_one_practitioner_in_one_role_is_on_the_team_once():
    """A-08"""
    role = [{"text": "Physician"}]
    twice = [
        {"member": "Practitioner/lee", "roles": role, "period": {"start": "2025-01-01", "end": "2025-03-01"}},
        {"member": "Practitioner/kim", "roles": role},
        {"member": "Practitioner/lee", "roles": role, "period": {"start": "2025-02-01", "end": "2025-04-01"}},
        {"member": "Practitioner/lee", "roles": role, "period": {"start": "2025-06-01"}},
    ]
    merged = NORMAL["care_team"]({"participants": twice})["participants"]
    spans = [(seat["member"][13:], seat.get("period")) for seat in merged]
    assert spans == [("lee", {"start": "2025-01-01", "end": "2025-04-01"}), ("kim", None), ("lee", {"start": "2025-06-01"})]
    assert NORMAL["care_team"]({"status": "active"}) == {"status": "active"}


def test_the_tables_name_concepts():
    assert {*RULES, *REACHED, *NORMAL, *PERFORMED} - set(RECORDS) == {"procedure"}, "which is judged and no record of ours"


def test_the_same_moment_in_another_zone_is_no_change():
    told = {"at": ["2025-05-01T12:00:00Z", {"n": 1}], "on": "2025-05-01"}
    assert alike(told, {"at": ["2025-05-01T08:00:00.000-04:00", {"n": 1}], "on": "2025-05-01"})
    for other in (
        {"at": told["at"]},
        {**told, "on": "2025-05-02"},
        {**told, "at": told["at"][:1]},
        {**told, "at": ["2025-05-01T12:00:01Z", {"n": 1}]},
    ):
        assert not alike(told, other)
