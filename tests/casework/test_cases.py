"""Cases opened, moved on and given to others, through the store."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.casework import cases
from adapter.casework.desk import actor
from adapter.casework.records import put, read, save
from adapter.errors import Forbidden, Invalid, NotNow, NotResponsible, RuleViolated, StaleRecord
from adapter.store.documents import Change
from tests.casework.conftest import BOSS, DANA, SAM, case, person


def test_a_case_is_opened_in_its_first_step_and_says_who_opened_it(desk):
    opened = cases.open_case(desk, case())
    assert (opened.fields["step"], opened.fields["status"], opened.version) == ("referred", "planned", 1)
    [proof] = [stored.raw for stored in desk.repository.scan("Provenance")]
    assert proof["agent"][0]["who"] == {"reference": DANA}
    assert {"reference": f"{opened.reference}/_history/1"} in proof["target"]


def test_a_client_has_one_open_case_of_a_type(desk):
    """V-04, P-31"""
    first = cases.open_case(desk, case())
    with pytest.raises(NotNow) as refused:
        cases.open_case(desk, case(case_number="N-2"))
    assert (refused.value.code, refused.value.allowed) == ("duplicate_case", (first.reference,))
    put(desk, "condition", "ms", {"client": "Patient/alma", "code": {"text": "multiple sclerosis"}, "clinical_status": "active"})
    focused = case(case_type="focused", case_number="N-3", diagnoses=[{"condition": "Condition/ms"}])
    assert cases.open_case(desk, focused).version == 1


@pytest.mark.parametrize("case_type", ["focused", "targeted", "hospital"])
def test_a_case_of_a_special_type_needs_what_makes_it_one(desk, case_type):
    """V-17, T-01, T-02, T-03"""
    with pytest.raises(RuleViolated) as refused:
        cases.open_case(desk, case(case_type=case_type))
    assert refused.value.code == "case_type_ineligible"


def test_a_targeted_case_is_for_a_member_of_a_group_and_a_hospital_case_has_its_stay(desk):
    """V-17, T-02, T-03"""
    group = {"resourceType": "Group", "type": "person", "actual": True, "member": [{"entity": {"reference": "Patient/alma"}}]}
    desk.repository.commit([Change("Group", "chronic", group, 0)])
    assert cases.open_case(desk, case(case_type="targeted")).fields["case_type"] == "targeted"
    stay = {"client": "Patient/alma", "status": "in_progress", "encounter_class": {"code": "IMP"}, "period": {"start": "2026-03-01"}}
    put(desk, "encounter", "stay", stay)
    assert cases.open_case(desk, case(case_type="hospital", case_number="N-2")).fields["case_type"] == "hospital"


def test_the_clinical_model_is_for_licensed_case_managers(desk, new_client):
    """V-02, V-08, A-02, A-03, A-04"""
    clinical = [{"model": "clinical", "primary": True}]
    with pytest.raises(RuleViolated) as refused:
        cases.open_case(desk, case(models=clinical))
    assert refused.value.code == "credential_invalid"
    licence = {"kind": "LCSW", "active": True, "unrestricted": True, "period": {"start": "2020-01-01", "end": "2026-12-31"}}
    person(desk.repository, "dana", credentials=[licence])
    opened = cases.open_case(desk, case(models=clinical))
    with pytest.raises(RuleViolated) as refused:
        cases.assign(desk, opened.id, SAM)
    assert refused.value.code == "credential_invalid"
    person(desk.repository, "sam", credentials=[licence | {"unrestricted": False}])
    with pytest.raises(RuleViolated) as refused:
        cases.assign(desk, opened.id, SAM)
    assert refused.value.code == "clinical_role_invalid"
    person(desk.repository, "sam", credentials=[licence | {"period": {"start": "2020-01-01", "end": "2026-03-01"}}])
    with pytest.raises(RuleViolated):
        cases.assign(desk, opened.id, SAM)
    assert cases.open_case(desk, case(new_client("river"), case_manager=SAM)).fields["case_manager"] == SAM  # K-05: another model


def test_a_case_manager_need_not_be_a_nurse(desk):
    """A-01, K-05"""
    person(desk.repository, "sam", discipline="healthcare_administrator")
    assert cases.open_case(desk, case(case_manager=SAM)).fields["case_manager"] == SAM


def test_a_handover_ends_one_seat_in_the_care_team_at_the_instant_that_the_next_begins(desk, boss, time):
    """C-09, V-03"""
    opened = cases.open_case(desk, case())
    for who in (SAM, DANA, BOSS):
        time.forward(hours=3)
        cases.assign(desk, opened.id, who, reason="holidays")
    [team] = read(desk.repository, "case", opened.id).fields["team"]
    seats = read(desk.repository, "care_team", team.partition("/")[2]).fields["participants"]
    assert [seat["member"] for seat in seats] == [DANA, SAM, DANA, BOSS]
    assert [seat["period"].get("end") for seat in seats] == [*(seat["period"]["start"] for seat in seats[1:]), None]
    assert cases.transit(boss, opened.id, "TR-01").fields["step"] == "screening"
    activities = [stored.raw["activity"]["coding"][0]["code"] for stored in desk.repository.scan("Provenance") if stored.raw.get("reason")]
    assert activities == ["handover"] * 3


def test_the_models_of_a_case_change_and_those_left_stay_in_its_record(desk, time):
    """M-05"""
    opened = cases.open_case(desk, case(opened_at="2026-03-01"))
    led = cases.follow_models(desk, opened.id, [{"model": "intensive", "primary": True}], reason="more is needed")
    back = cases.follow_models(desk, opened.id, [{"model": "brokerage", "primary": True}, {"model": "strengths_based"}])
    told = [(model["model"], "end" in model.get("period", {})) for model in back.fields["models"]]
    assert told == [("brokerage", True), ("intensive", True), ("brokerage", False), ("strengths_based", False)]
    assert led.fields["models"][1]["period"]["start"] == led.fields["models"][0]["period"]["end"]
    with pytest.raises(Invalid):
        cases.follow_models(desk, opened.id, [{"model": "brokerage"}])


def test_a_model_that_takes_more_places_needs_the_room(desk, new_client):
    """V-01, §3.6"""
    person(desk.repository, "dana", caseload_limit=2)
    opened = cases.open_case(desk, case())
    cases.open_case(desk, case(new_client("river")))
    with pytest.raises(NotNow) as refused:
        cases.follow_models(desk, opened.id, [{"model": "intensive", "primary": True}])
    assert refused.value.code == "caseload_exceeded"


def test_a_case_that_is_cancelled_takes_its_plan_and_appointments_with_it(desk, time):
    """TR-22"""
    opened = cases.open_case(desk, case())
    of_case = {"client": "Patient/alma", "case": opened.reference}
    put(desk, "plan", "p", of_case | {"status": "draft", "intent": "plan"})
    for id, start in (("past", "2026-03-01T10:00:00Z"), ("next", "2026-03-20T10:00:00Z")):
        put(desk, "appointment", id, of_case | {"status": "booked", "client_attendance": "accepted", "start": start})
    before = desk.repository.find("EpisodeOfCare", opened.id).version
    cancelled = cases.transit(desk, opened.id, "TR-22", reason="moved away")
    assert (cancelled.fields["step"], cancelled.version) == ("cancelled", before + 1)
    assert read(desk.repository, "plan", "p").fields["status"] == "revoked"
    assert read(desk.repository, "appointment", "next").fields["status"] == "cancelled"
    assert read(desk.repository, "appointment", "past").fields["status"] == "booked"
    proofs = [stored.raw for stored in desk.repository.scan("Provenance") if stored.raw["activity"]["coding"][0]["code"] == "TR-22"]
    targets = {each["reference"] for each in proofs[0]["target"]}
    assert targets == {f"{opened.reference}/_history/2", "CarePlan/p/_history/2", "Appointment/next/_history/2"}
    [event] = [stored.raw for stored in desk.repository.scan("AuditEvent") if stored.raw["subtype"][0]["code"] == "TR-22"]
    assert event["entity"][0]["what"] == {"reference": opened.reference}


def test_what_ends_with_a_case_is_not_written_over_what_another_wrote_meanwhile(desk, time, monkeypatch):
    """TR-22, S-05"""
    opened = cases.open_case(desk, case())
    booked = {"client": "Patient/alma", "case": opened.reference, "status": "booked", "client_attendance": "accepted"}
    booked |= {"start": "2099-03-05T09:00:00Z", "end": "2099-03-05T10:00:00Z"}
    put(desk, "appointment", "a1", booked)
    pulled = [lambda: save(desk.repository, "appointment", "a1", booked | {"comment": "Kanarifugl"})]
    follow = cases.consequences

    def slowly(*arguments):
        found = follow(*arguments)
        if pulled:
            pulled.pop()()
        return found

    monkeypatch.setattr(cases, "consequences", slowly)
    cases.transit(desk, opened.id, "TR-22", reason="moved away")
    kept = read(desk.repository, "appointment", "a1").fields
    assert (kept["status"], kept["comment"]) == ("cancelled", "Kanarifugl")


def test_a_case_that_is_over_is_given_to_nobody(desk):
    """C-09"""
    opened = cases.open_case(desk, case())
    cases.transit(desk, opened.id, "TR-22", reason="moved away")
    for change in (
        lambda: cases.assign(desk, opened.id, SAM),
        lambda: cases.follow_models(desk, opened.id, [{"model": "clinical", "primary": True}]),
    ):
        with pytest.raises(NotNow) as refused:
            change()
        assert refused.value.code == "case_over"


def test_only_a_supervisor_says_that_a_case_was_an_error(desk, boss):
    """TR-24, A-14"""
    opened = cases.open_case(desk, case())
    with pytest.raises(NotResponsible) as refused:
        cases.transit(desk, opened.id, "TR-24")
    assert (refused.value.code, refused.value.status) == ("not_responsible", 403)
    assert cases.transit(boss, opened.id, "TR-24").fields["status"] == "entered_in_error"


def test_the_record_shows_what_speaks_for_case_management(desk):
    """C-05"""
    person(desk.repository, "dana")
    put(desk, "client", "alma", {**read(desk.repository, "client", "alma").fields, "birth_date": "1950-02"})
    listed = {"client": "Patient/alma", "clinical_status": "active", "categories": [{"code": "problem-list-item"}]}
    for text in ("diabetes", "heart failure"):
        put(desk, "condition", None, listed | {"code": {"text": text}})
    opened = cases.open_case(desk, case())
    assert cases.transit(desk, opened.id, "TR-01").fields["eligibility_markers"] == ["chronic", "multi_chronic", "elderly"]


def test_a_transition_is_by_its_id_or_by_the_step_to_go_to(desk):
    opened = cases.open_case(desk, case())
    assert cases.transit(desk, opened.id, "screening").fields["step"] == "screening"
    with pytest.raises(NotNow) as refused:
        cases.transit(desk, opened.id, "closed")
    assert refused.value.code == "transition_not_allowed"
    assert "assessment" in refused.value.allowed


def test_the_same_request_again_changes_nothing(desk):
    opened = cases.open_case(desk, case())
    once = cases.transit(desk, opened.id, "TR-01", request_id="r1")
    again = cases.transit(desk, opened.id, "TR-01", request_id="r1")
    assert (once.version, again.version) == (2, 2)
    assert cases.transit(desk, opened.id, "screening", request_id="r1").version == 2


def test_many_at_once_want_the_last_two_places_of_a_caseload(desk, new_client):
    """V-01, P-27"""
    person(desk.repository, "dana", caseload_limit=4)
    for number in range(2):
        cases.open_case(desk, case(new_client(f"old{number}")))
    fields = [{**case(new_client(f"new{number}")), "case_number": f"W-{number}"} for number in range(30)]
    waiting = [cases.open_case(desk, {name: value for name, value in each.items() if name != "case_manager"}) for each in fields]

    def assign(opened):
        try:
            return cases.assign(desk, opened.id, DANA)
        except NotNow as refused:
            return refused

    with ThreadPoolExecutor(30) as pool:
        results = list(pool.map(assign, waiting))
    refused = [result for result in results if isinstance(result, NotNow)]
    assert len(refused) == len(waiting) - 2
    assert {(each.code, SAM in each.allowed) for each in refused} == {("caseload_exceeded", True)}


def test_a_case_without_a_case_manager_waits_for_a_place(desk, time):
    """P-02"""
    fields = {name: value for name, value in case().items() if name != "case_manager"}
    waiting = cases.open_case(desk, fields)
    assert waiting.fields["status"] == "waitlist"
    given = cases.assign(desk, waiting.id, DANA)
    assert [(stretch["step"], stretch["status"]) for stretch in given.fields["status_history"]] == [
        ("referred", "waitlist"),
        ("referred", "planned"),
    ]
    assert cases.transit(desk, waiting.id, "TR-01").fields["status"] == "active"


def test_a_full_caseload_tells_who_has_room_when_a_case_is_reopened(desk, boss, new_client):
    """V-01, TR-23"""
    first = cases.open_case(desk, case())
    person(desk.repository, "dana", caseload_limit=1)
    cases.open_case(boss, case(new_client("river")), reason="short of people")
    with pytest.raises(NotNow) as refused:
        cases.transit(desk, first.id, "TR-01")
    assert (refused.value.code, SAM in refused.value.allowed) == ("caseload_exceeded", True)
    with pytest.raises(Forbidden):
        cases.transit(desk, first.id, "TR-01", reason="I can do it")
    assert cases.transit(boss, first.id, "TR-01", reason="she can do it").fields["step"] == "screening"


def test_every_version_of_a_case_says_who_made_it(desk, boss):
    """C-03"""
    opened = cases.open_case(desk, case())
    cases.transit(boss, opened.id, "TR-01")
    put(desk, "case", opened.id, {**read(desk.repository, "case", opened.id).fields, "setting_type": "community"})
    proofs = [stored.raw for stored in desk.repository.scan("Provenance")]
    makers = {target["reference"]: proof["agent"][0]["who"]["reference"] for proof in proofs for target in proof["target"]}
    assert [makers[f"{opened.reference}/_history/{version}"] for version in (1, 2, 3)] == [DANA, BOSS, DANA]


def test_the_process_of_a_case_is_not_written_by_hand(desk):
    """C-02"""
    opened = cases.open_case(desk, case())
    with pytest.raises(RuleViolated) as refused:
        put(desk, "case", opened.id, {**opened.fields, "step": "closed"})
    assert (refused.value.code, refused.value.expression) == ("made_elsewhere", ("step",))
    with pytest.raises(RuleViolated):
        put(desk, "case", opened.id, {**opened.fields, "case_manager": SAM})


def test_certified_case_managers_are_named_first_for_a_complex_case(desk, new_client):
    """K-01"""
    person(desk.repository, "sam", caseload_limit=2, credentials=[{"kind": "CCM", "period": {"start": "2020-01-01"}}])
    assert cases.with_room(desk) == [BOSS, DANA, SAM]
    assert cases.with_room(desk, tier="complex") == [SAM, BOSS, DANA]
    assert cases.with_room(desk, needed=3) == [BOSS, DANA]


def test_a_supervisor_goes_over_a_limit_with_a_reason_and_nobody_else_does(desk, boss, new_client):
    """V-01, A-14, P-27"""
    person(desk.repository, "dana", caseload_limit=1)
    cases.open_case(desk, case())
    other = case(new_client("river"))
    with pytest.raises(Forbidden):
        cases.open_case(desk, other, reason="we are short of people")
    assert cases.open_case(boss, other, reason="we are short of people").fields["case_manager"] == DANA


def test_a_record_is_saved_against_the_version_that_its_writer_saw(desk):
    """S-05"""
    opened = cases.open_case(desk, case())
    fields = {"client": "Patient/alma", "case": opened.reference, "status": "requested", "intent": "order"}
    task = put(desk, "task", None, fields)
    put(desk, "task", task.id, fields | {"priority": "urgent"}, expect=task.version)
    with pytest.raises(StaleRecord):
        put(desk, "task", task.id, fields | {"priority": "stat"}, expect=task.version)
    assert read(desk.repository, "task", task.id).fields["priority"] == "urgent"


def test_who_acts_is_known_and_has_the_role_of_their_record(desk):
    assert actor(desk.repository, BOSS).supervisor
    assert not actor(desk.repository, DANA).supervisor
    with pytest.raises(Invalid):
        actor(desk.repository, "Practitioner/nobody")
