"""Follow-up that does not forget: what comes in, and the days that pass, make tasks."""

import pytest

from adapter.cases.reactions import passed
from adapter.casework.facts import records_of
from adapter.casework.records import put_together, read, save
from adapter.casework.watch import OVERLAP, WATCHER, Watch
from adapter.errors import Invalid, NotNow
from adapter.fhir.resource import parse
from adapter.store.documents import Change
from tests.casework.conftest import BOSS, DANA
from tests.casework.shelf import Shelf


@pytest.fixture
def shelf(desk):
    return Shelf(desk.repository)


@pytest.fixture
def watch(desk):
    return Watch(desk.repository)


def tasks(repository):
    """The watch's tasks by the code of their kind."""
    rows = repository.scan("Task") if "Task" in repository.types() else ()
    found = [stored.record | {"id": stored.id} for stored in rows if not stored.deleted]
    return {task["code"]["code"]: task for task in found if task.get("requester") == WATCHER}


def kinds(repository):
    return sorted(tasks(repository))


@pytest.fixture
def case(shelf, watch):
    """A case that nothing is to be done about: spoken to today, and looked at."""
    reference = shelf.case("alma", tier="low")
    shelf.contact("alma", "2026-03-02T08:00:00Z", type="visit")
    assert watch.look().tasks == 0
    return reference


def test_a_discharge_to_rehabilitation_makes_a_contact_and_a_visit_due_in_their_windows(desk, shelf, watch, case, time):
    """C-20, P-24"""
    shelf.stay("alma", "2026-03-03", "2026-03-06", discharge_disposition={"code": "rehab"})
    time.forward(days=4)
    assert watch.look().tasks == 2
    found = tasks(desk.repository)
    assert (found["discharge-contact"]["due"], found["discharge-visit"]["due"]) == ("2026-03-10", "2026-03-20")
    assert {(task["owner"], task["focus"], task["case"]) for task in found.values()} == {(DANA, "Encounter/stay-alma", case)}


def test_a_client_who_was_spoken_to_since_needs_no_contact_after_the_discharge(desk, shelf, watch, case):
    """C-20"""
    shelf.stay("alma", "2026-02-27", "2026-03-01")
    watch.look()
    assert kinds(desk.repository) == []


def test_what_is_looked_at_again_makes_nothing_twice(desk, shelf, watch, case, time):
    shelf.stay("alma", "2026-03-03", "2026-03-06")
    time.forward(days=5)
    assert watch.look().tasks == 2
    assert Watch(desk.repository).look().tasks == 0
    save(desk.repository, "task", "own", {"client": "Patient/alma", "case": case, "status": "requested", "intent": "order"})
    assert watch.look().tasks == 0


def test_a_task_that_a_person_deleted_does_not_come_back(desk, shelf, watch, case, time):
    shelf.stay("alma", "2026-03-03", "2026-03-06")
    time.forward(days=5)
    watch.look()
    found = desk.repository.read("Task", tasks(desk.repository)["discharge-visit"]["id"])
    desk.repository.commit([Change("Task", found.id, None, found.version)])
    shelf.contact("alma", "2026-03-05T08:00:00Z")
    watch.look()
    assert kinds(desk.repository) == ["discharge-contact"]


@pytest.mark.parametrize(("start", "marked"), [("2026-04-01", True), ("2026-04-02", False)], ids=["day 30", "day 31"])
def test_a_readmission_marks_the_case_opens_the_risk_again_and_tells_the_case_manager(desk, shelf, watch, case, time, start, marked):
    """V-15, P-22, O-02"""
    shelf.stay("alma", "2026-02-20", "2026-03-02", id="first")
    time.forward(days=31)
    shelf.contact("alma", "2026-04-01T08:00:00Z", type="visit")
    shelf.stay("alma", start, id="second", priority={"code": "EM"})
    watch.look()
    assert ("readmission" in tasks(desk.repository)) is marked
    flags = list(desk.repository.scan("Flag")) if "Flag" in desk.repository.types() else []
    assert bool(flags) is marked
    if marked:
        task = tasks(desk.repository)["readmission"]
        assert (task["owner"], task["priority"], task["focus"]) == (DANA, "asap", "Encounter/second-alma")
        assert flags[0].record.items() >= {"kind": "readmission", "case": case, "encounter": "Encounter/second-alma"}.items()


def test_a_readmission_is_found_after_the_case_was_closed_too(desk, shelf, watch, time):
    """V-15, TR-23"""
    shelf.case("alma", step="closed", status="finished", closed_at="2026-03-01T00:00:00Z")
    shelf.stay("alma", "2026-02-10", "2026-02-20", id="first")
    shelf.stay("alma", "2026-03-02", id="second")
    watch.look()
    assert kinds(desk.repository) == ["readmission"]


def test_an_encounter_that_a_remote_sent_without_a_case_is_the_client_s(desk, watch, case, time):
    """C-20, B-04"""
    text = (
        '{"resourceType":"Encounter","status":"finished","class":{"code":"IMP"},"subject":{"reference":"Patient/alma"},'
        '"period":{"start":"2026-03-02","end":"2026-03-03"}}'
    )
    time.forward(days=1)
    desk.repository.commit([Change("Encounter", "theirs", parse(text), 0, born="hospital")])
    watch.look()
    assert kinds(desk.repository) == ["discharge-contact", "discharge-visit"]


def test_a_history_that_is_imported_makes_no_tasks(desk, shelf, watch, case):
    shelf.stay("alma", "2019-03-03", "2019-03-06", id="old")
    shelf.stay("alma", "2019-03-20", "2019-03-26", id="older")
    shelf.of("barrier", "Condition", "b1", "alma", kind="transport", status="open", opened_at="2019-04-01")
    watch.look()
    assert kinds(desk.repository) == []


def test_a_booked_appointment_that_passed_without_an_arrival_was_missed(desk, shelf, watch, case, time):
    """P-11"""
    booked = {"status": "booked", "client_attendance": "accepted", "start": "2026-03-05T09:00:00Z", "end": "2026-03-05T10:00:00Z"}
    shelf.of("appointment", "Appointment", "a1", "alma", **booked)
    watch.look()
    assert kinds(desk.repository) == []
    time.forward(days=4)
    watch.look()
    assert read(desk.repository, "appointment", "a1").fields["status"] == "noshow"
    task = tasks(desk.repository)["missed-appointment"]
    assert (task["focus"], task["due"]) == ("Appointment/a1", "2026-03-09")
    assert watch.look().tasks == 0


def test_what_is_said_of_an_appointment_while_it_is_looked_at_is_not_written_over(desk, shelf, watch, case, time, monkeypatch):
    """P-11, S-05"""
    booked = {"status": "booked", "client_attendance": "accepted", "start": "2026-03-05T09:00:00Z", "end": "2026-03-05T10:00:00Z"}
    shelf.of("appointment", "Appointment", "a1", "alma", **booked)
    time.forward(days=4)
    pulled = [lambda: shelf.of("appointment", "Appointment", "a1", "alma", **booked | {"status": "fulfilled", "comment": "Kanarifugl"})]

    def slowly(*arguments):
        found = passed(*arguments)
        if pulled:
            pulled.pop()()
        return found

    monkeypatch.setattr("adapter.casework.watch.passed", slowly)
    watch.look()
    kept = read(desk.repository, "appointment", "a1").fields
    assert (kept["status"], kept["comment"]) == ("fulfilled", "Kanarifugl")


def test_another_system_s_appointment_is_asked_about_and_left_as_it_is(desk, watch, case, time):
    """P-11"""
    text = (
        '{"resourceType":"Appointment","status":"booked","start":"2026-03-05T09:00:00Z","end":"2026-03-05T10:00:00Z",'
        '"participant":[{"actor":{"reference":"Patient/alma"},"status":"accepted"}]}'
    )
    desk.repository.commit([Change("Appointment", "theirs", parse(text), 0, born="hospital")])
    time.forward(days=4)
    watch.look()
    assert "missed-appointment" in tasks(desk.repository)
    assert desk.repository.read("Appointment", "theirs").raw["status"] == "booked"


def test_an_urgent_flag_makes_a_task_within_a_day(desk, shelf, watch, case):
    """V-19"""
    shelf.flagged("alma", "suicide_item", at="2026-03-02T08:30:00Z")
    watch.look()
    task = tasks(desk.repository)["urgent-flag"]
    assert (task["priority"], task["due"], task["focus"]) == ("urgent", "2026-03-03T08:30:00.000Z", "RiskAssessment/r-alma")


def test_where_a_person_made_the_task_already_there_is_no_second(desk, shelf, watch, case):
    """V-19"""
    risk = shelf.flagged("alma", "suicide_item", at="2026-03-02T08:30:00Z")
    shelf.task("mine", client="Patient/alma", case=case, focus=risk, due="2026-03-02", priority="urgent")
    watch.look()
    assert kinds(desk.repository) == []


def test_a_new_barrier_makes_a_task_and_an_accepted_one_does_not(desk, shelf, watch, case):
    """P-20"""
    open_barrier = {"kind": "transport", "status": "open", "opened_at": "2026-03-02"}
    shelf.of("barrier", "Condition", "b1", "alma", **open_barrier, accepted_reason="Kanarifugl walks")
    watch.look()
    assert kinds(desk.repository) == []
    shelf.of("barrier", "Condition", "b2", "alma", **open_barrier)
    watch.look()
    assert tasks(desk.repository)["barrier"]["focus"] == "Condition/b2"


def test_an_authorisation_that_ends_soon_and_one_that_was_denied_make_tasks(desk, shelf, watch, case, time):
    """C-22, P-25"""
    common = {"insurer": "Organization/payer", "request": "preauthorisation", "decided_at": "2026-03-01", "requested_at": "2026-02-28"}
    approved = common | {"status": "approved", "number": "A-1", "validity": {"start": "2026-03-01", "end": "2026-04-15"}}
    shelf.of("authorisation", "ClaimResponse", "ends", "alma", **approved)
    shelf.of("authorisation", "ClaimResponse", "denied", "alma", **common, status="denied")
    watch.look()
    assert kinds(desk.repository) == ["authorisation-denied"]
    time.forward(days=29)
    shelf.contact("alma", "2026-03-30T08:00:00Z")
    watch.look()
    assert kinds(desk.repository) == ["authorisation-denied"]
    time.forward(days=1)
    watch.look()
    assert tasks(desk.repository)["authorisation-expiring"]["due"] == "2026-04-15"


def test_a_contact_that_is_overdue_becomes_a_task_and_the_interval_again_tells_a_supervisor(desk, shelf, watch, time):
    """V-13, P-26, C-12"""
    shelf.case("alma", tier="high")
    shelf.contact("alma", "2026-03-02T08:00:00Z")
    watch.look()
    time.forward(days=7)
    assert watch.look().tasks == 0
    time.forward(days=1)
    assert watch.look().tasks == 1
    assert tasks(desk.repository)["contact-overdue"]["owner"] == DANA
    time.forward(days=7)
    assert watch.look().tasks == 1
    assert tasks(desk.repository)["contact-escalated"]["owner"] == BOSS


def test_a_contact_that_comes_about_in_time_makes_no_task(desk, shelf, watch, time):
    """V-13"""
    shelf.case("alma", tier="high")
    shelf.contact("alma", "2026-03-02T08:00:00Z")
    watch.look()
    time.forward(days=7)
    shelf.contact("alma", "2026-03-09T08:00:00Z")
    time.forward(days=1)
    watch.look()
    assert kinds(desk.repository) == []


def test_a_first_service_that_is_late_makes_a_task(desk, shelf, watch, time):
    """M-04"""
    models = [{"model": "intensive", "primary": True, "period": {"start": "2026-03-02"}}]
    shelf.case("alma", step="implementation", models=models, opened="2026-03-02T08:00:00Z")
    watch.look()
    assert kinds(desk.repository) == []
    time.forward(days=3)
    watch.look()
    assert "service-late" in kinds(desk.repository)


def test_an_urgent_task_that_nobody_took_is_told_to_a_supervisor(desk, shelf, watch, case, time):
    """P-24, C-12"""
    handover = {"client": "Patient/alma", "case": case, "focus": "ServiceRequest/1", "due": "2026-03-03", "priority": "urgent"}
    shelf.task("sent", owner="Organization/rehab", **handover)
    shelf.task("taken", owner="Organization/rehab", **handover, status="accepted")
    watch.look()
    time.forward(days=3)
    watch.look()
    assert kinds(desk.repository) == []
    time.forward(days=1)
    watch.look()
    assert (tasks(desk.repository)["task-escalated"]["focus"], tasks(desk.repository)["task-escalated"]["owner"]) == ("Task/sent", BOSS)


def test_a_visit_to_the_emergency_department_is_reviewed(desk, shelf, watch, case):
    """TR-16, O-03"""
    shelf.stay("alma", "2026-03-02", "2026-03-02", id="er", code="EMER")
    watch.look()
    assert kinds(desk.repository) == ["emergency-visit"]


def test_what_is_made_says_who_made_it_and_that_it_is_synthetic(desk, shelf, watch, case):
    """C-03, B-07"""
    shelf.flagged("alma", "other", at="2026-03-02T08:30:00Z")
    watch.look()
    task = desk.repository.read("Task", tasks(desk.repository)["urgent-flag"]["id"])
    assert "synthetic" in [tag["code"] for tag in task.raw["meta"]["tag"]]
    proofs = [stored.raw for stored in desk.repository.scan("Provenance")]
    [proof] = [raw for raw in proofs if {"reference": f"{task.reference}/_history/1"} in raw["target"]]
    assert proof["agent"][0]["who"] == {"reference": WATCHER}
    assert desk.repository.read(*WATCHER.split("/")).raw["status"] == "active"


def test_a_change_that_is_seen_late_is_not_missed(desk, shelf, watch, case, time):
    """A transaction commits after another whose time is later: the overlap reaches back to it."""
    watch.look()
    before = time.now
    time.forward(minutes=1)
    assert watch.look().cases == 0
    now, time.now = time.now, before
    shelf.flagged("alma", "other", at="2026-03-02T08:30:00Z")
    time.now = now
    assert watch.look().tasks == 1
    assert OVERLAP.total_seconds() > 60


def test_what_has_been_seen_in_the_overlap_is_not_looked_at_again(desk, shelf, watch, case):
    shelf.flagged("alma", "other", at="2026-03-02T08:30:00Z")
    assert watch.look().cases == 1
    assert watch.look().cases == 1  # the task that it made
    assert watch.look().cases == 0


def test_a_case_that_nothing_can_be_made_of_keeps_no_other_waiting_and_is_looked_at_the_next_day(desk, shelf, watch, time, monkeypatch):
    bad = shelf.case("alma", tier="high")
    shelf.case("river")
    shelf.contact("river", "2026-03-02T08:00:00Z")
    shelf.flagged("river", "other", at="2026-03-02T08:30:00Z")

    def unreadable(repository, case, fields):
        if case == bad:
            raise KeyError(case)
        return records_of(repository, case, fields)

    with monkeypatch.context() as patch:
        patch.setattr("adapter.casework.watch.records_of", unreadable)
        assert watch.look().cases == 2
    assert kinds(desk.repository) == ["urgent-flag"]
    time.forward(days=1)
    watch.look()
    assert tasks(desk.repository)["contact-overdue"]["case"] == bad


def test_a_record_that_may_not_be_written_keeps_the_rest_of_its_case_from_nothing(desk, shelf, watch, case, time, monkeypatch, caplog):
    """V-15, C-01"""
    whole = {"status": "not_started", "intent": "order", "kind": "social_service", "description": "Kanarifugl's meals"}
    for id in ("bad", "good"):
        service = shelf.of("planned_service", "ServiceRequest", id, "alma", **whole)
        shelf.task(id, "Organization/pantry", client="Patient/alma", case=case, focus=service, status="in_progress")
    time.forward(minutes=1)
    for id in ("bad", "good"):
        task = read(desk.repository, "task", id).fields
        save(desk.repository, "task", id, task | {"status": "completed"}, synthetic=True)
    shelf.stay("alma", "2026-02-20", "2026-02-25", id="first")
    shelf.stay("alma", "2026-03-01", id="second")

    def refused(desk, case, decide, **options):
        if any(effect[1] == "ServiceRequest/bad" for effect in decide()):
            raise NotNow("It may not be.", code="service_over")
        put_together(desk, case, decide, **options)

    monkeypatch.setattr("adapter.casework.referrals.put_together", refused)
    watch.look()
    assert "watch.unsettled reference=Task/bad error=NotNow" in caplog.text
    assert "watch.failed" not in caplog.text
    assert read(desk.repository, "planned_service", "good").fields["status"] == "completed"
    assert "readmission" in tasks(desk.repository)
    caplog.clear()
    time.forward(days=1)
    watch.look()
    assert "reference=Task/bad" in caplog.text


def test_an_answer_that_cannot_be_taken_over_keeps_the_rest_of_its_case_from_nothing(desk, shelf, watch, case, monkeypatch, caplog):
    shelf.flagged("alma", "other", at="2026-03-02T08:30:00Z")

    def impossible(look):
        raise Invalid("It has no insurer.")

    monkeypatch.setattr("adapter.casework.watch.by_answers", impossible)
    watch.look()
    assert f"watch.unsettled reference={case} error=Invalid" in caplog.text
    assert kinds(desk.repository) == ["urgent-flag"]


def test_an_appointment_of_which_only_the_end_is_known_is_left_as_it_is(desk, shelf, watch, case, time, caplog):
    """P-11"""
    text = (
        '{"resourceType":"Appointment","status":"booked","end":"2026-03-05T10:00:00Z",'
        '"participant":[{"actor":{"reference":"Patient/alma"},"status":"accepted"}]}'
    )
    desk.repository.commit([Change("Appointment", "a1", parse(text), 0)])
    shelf.flagged("alma", "other", at="2026-03-02T08:30:00Z")
    time.forward(days=4)
    watch.look()
    assert "watch.failed" not in caplog.text
    assert kinds(desk.repository) == ["urgent-flag"]
    assert desk.repository.read("Appointment", "a1").raw["status"] == "booked"
