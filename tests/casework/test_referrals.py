"""Referrals at a desk: a provider is chosen, asked, answers or is answered for, and the service follows."""

import pytest

from adapter.casework import referrals
from adapter.casework.cases import open_case, transit
from adapter.casework.plans import leave_out
from adapter.casework.records import put, read, remove
from adapter.casework.services import move
from adapter.casework.watch import WATCHER, Watch
from adapter.errors import Invalid, NotFound, NotNow, RuleViolated
from adapter.store.documents import Change
from adapter.store.state import State
from tests.casework.conftest import DANA, case
from tests.casework.shelf import Shelf

PANTRY, KITCHEN = "Organization/pantry", "Organization/kitchen"
MEALS = {"text": "Kanarifugl's meals"}


@pytest.fixture
def shelf(desk):
    """A case, and two community organisations that its client agrees may be told."""
    found = Shelf(desk.repository)
    found.case("alma", tier="low")
    found.contact("alma", "2026-03-02T08:00:00Z", type="visit")
    for id in ("pantry", "kitchen"):
        put(desk, "stakeholder", id, {"kind": "community_org", "name": f"Kanarifugl {id}", "active": True})
    agreed = {"client": "Patient/alma", "status": "active", "scope": "sharing", "decision": "permit", "performers": ["Patient/alma"]}
    put(desk, "consent", "agreed", agreed)
    return found


@pytest.fixture
def service(desk, shelf):
    """The id of a service that nobody was asked for yet."""
    ordered(desk, "meals")
    return "meals"


def ordered(desk, id, **fields):
    whole = {"status": "not_started", "intent": "order", "kind": "social_service", "description": "Kanarifugl's meals"}
    return put(desk, "planned_service", id, {"client": "Patient/alma", "case": "EpisodeOfCare/c-alma"} | whole | fields)


def sent(desk, service, to=PANTRY, **options):
    return referrals.send(desk, referrals.refer(desk, service, to, **options).id)


def status(desk, service):
    return read(desk.repository, "planned_service", service).fields["status"]


def proofs(desk, reference):
    """Who wrote each version of a resource, and on whose behalf."""
    found = [stored.raw for stored in desk.repository.scan("Provenance")]
    mine = [raw for raw in found if any(each["reference"].startswith(f"{reference}/_history/") for each in raw["target"])]
    return [
        (raw["agent"][0]["who"]["reference"], raw["agent"][0].get("onBehalfOf", {}).get("reference"))
        for raw in sorted(mine, key=lambda raw: raw["recorded"])
    ]


def test_a_referral_is_a_task_about_the_order_that_its_provider_owns(desk, service):
    """C-01"""
    draft = referrals.refer(desk, service, PANTRY, priority="urgent", note="Kanarifugl is hungry")
    wanted = {"status": "draft", "intent": "order", "focus": "ServiceRequest/meals", "owner": PANTRY, "client": "Patient/alma"}
    assert draft.fields.items() >= wanted.items()
    assert (draft.fields["requester"], draft.fields["priority"]) == ("PractitionerRole/dana", "urgent")
    after = referrals.send(desk, draft.id)
    # Two business days from Monday, 2 March.
    assert (after.fields["status"], after.fields["due"]) == ("requested", "2026-03-04")
    assert read(desk.repository, "planned_service", service).fields["performers"] == [PANTRY]
    raw = desk.repository.read("Task", draft.id).raw
    assert "TaskForReferralManagement" in str(raw["meta"]["profile"])


@pytest.mark.parametrize("drafted", [False, True])
def test_a_referral_is_made_and_sent_in_one(desk, service, drafted):
    if drafted:
        referrals.refer(desk, service, PANTRY)
    made = referrals.refer(desk, service, PANTRY, send_too=True)
    assert (made.fields["status"], made.fields["due"], made.version) == ("requested", "2026-03-09", 1 + drafted)
    assert proofs(desk, made.reference) == [("Practitioner/dana", None)] * (1 + drafted)
    assert read(desk.repository, "planned_service", service).fields["performers"] == [PANTRY]
    with pytest.raises(NotNow, check=lambda error: error.code == "referral_status_invalid"):
        referrals.refer(desk, service, PANTRY, send_too=True)


def test_the_same_provider_again_is_the_same_referral_and_another_waits_for_its_end(desk, service):
    first = referrals.refer(desk, service, PANTRY)
    assert referrals.refer(desk, service, PANTRY).reference == first.reference
    with pytest.raises(NotNow) as refused:
        referrals.refer(desk, service, KITCHEN)
    assert (refused.value.code, refused.value.allowed) == ("referral_open", (first.reference,))
    referrals.cancel(desk, first.id, "Kanarifugl moved away")
    assert referrals.refer(desk, service, KITCHEN).fields["owner"] == KITCHEN
    assert status(desk, service) == "not_started"


def test_a_provider_is_asked_anew_by_another_task_though_one_was_deleted(desk, service):
    made = []
    for _ in range(3):
        made.append(referrals.refer(desk, service, PANTRY).id)
        referrals.cancel(desk, made[-1], "Kanarifugl moved away")
        if len(made) == 2:
            remove(desk, "task", made[0])
    assert len(set(made)) == 3


@pytest.mark.parametrize("to", ["Organization/nobody", "Patient/alma", "RelatedPerson/jon"])
def test_who_is_not_in_the_directory_is_not_asked(desk, service, to):
    with pytest.raises(Invalid):
        referrals.refer(desk, service, to)


def test_who_is_not_active_any_more_is_not_asked(desk, service):
    put(desk, "stakeholder", "pantry", {"kind": "community_org", "name": "Kanarifugl pantry", "active": False})
    with pytest.raises(NotNow) as refused:
        referrals.refer(desk, service, PANTRY)
    assert refused.value.code == "receiver_inactive"


def test_who_stopped_being_active_after_it_was_asked_can_still_be_answered_for(desk, service):
    task = sent(desk, service)
    put(desk, "stakeholder", "pantry", {"kind": "community_org", "name": "Kanarifugl pantry", "active": False})
    assert referrals.answer(desk, task.id, "rejected", reason="closed").fields["status"] == "rejected"


@pytest.mark.parametrize(
    ("kind", "consent", "may"),
    [
        ("community_org", {"status": "inactive"}, False),
        ("community_org", {"decision": "deny"}, False),
        ("social_service_agency", {"scope": "sharing_payer"}, False),
        ("community_org", {"actor": KITCHEN}, False),
        ("community_org", {"actor": PANTRY}, True),
        ("rehab_facility", {"status": "inactive"}, True),
        ("rehab_facility", {"decision": "deny", "actor": PANTRY}, False),
    ],
)
def test_who_neither_treats_nor_pays_is_told_with_consent_only(desk, service, kind, consent, may):
    """V-16"""
    put(desk, "stakeholder", "pantry", {"kind": kind, "name": "Kanarifugl"})
    put(desk, "consent", "agreed", read(desk.repository, "consent", "agreed").fields | consent)
    if not may:
        with pytest.raises(RuleViolated, check=lambda error: error.code == "consent_missing"):
            referrals.refer(desk, service, PANTRY, send_too=True)
        assert "Task" not in desk.repository.types()
    draft = referrals.refer(desk, service, PANTRY)
    if may:
        assert referrals.send(desk, draft.id).fields["status"] == "requested"
        return
    with pytest.raises(RuleViolated) as refused:
        referrals.send(desk, draft.id)
    assert refused.value.code == "consent_missing"
    assert read(desk.repository, "task", draft.id).fields["status"] == "draft"


def test_the_case_manager_answers_for_an_organisation_without_fhir_and_the_proof_names_both(desk, service):
    """A-13"""
    task = sent(desk, service)
    for word in ("accepted", "in_progress"):
        referrals.answer(desk, task.id, word)
    assert status(desk, service) == "in_progress"
    done = referrals.answer(desk, task.id, "completed", results=[{"text": "Kanarifugl got meals"}, {"reference": "Procedure/p1"}])
    assert status(desk, service) == "completed"
    kinds = [each["type"].get("code", each["type"].get("text")) for each in done.fields["outputs"]]
    assert kinds == ["result", "resulting-activity"]
    assert proofs(desk, task.reference) == [(DANA, None), (DANA, None), *[(DANA, PANTRY)] * 3]


def test_an_answer_that_was_given_already_changes_nothing(desk, service):
    task = sent(desk, service)
    first = referrals.answer(desk, task.id, "accepted")
    assert referrals.answer(desk, task.id, "accepted").version == first.version


def test_results_that_are_told_later_are_kept_and_move_nothing(desk, service):
    task = sent(desk, service)
    for word in ("accepted", "in_progress"):
        referrals.answer(desk, task.id, word)
    move(desk, service, "on_hold")
    for _ in range(2):
        after = referrals.answer(desk, task.id, "in_progress", results=[{"text": "Kanarifugl got meals"}])
    assert [each["value"] for each in after.fields["outputs"]] == [{"text": "Kanarifugl got meals"}]
    assert after.version == 5
    assert status(desk, service) == "on_hold"
    referrals.answer(desk, task.id, "completed")
    after = referrals.answer(desk, task.id, "completed", results=[{"reference": "Procedure/p1"}])
    assert len(after.fields["outputs"]) == 2


def test_a_referral_that_failed_does_not_disturb_the_one_that_took_its_place(desk, service, time):
    first = sent(desk, service)
    for word in ("accepted", "failed"):
        referrals.answer(desk, first.id, word, reason="full")
    assert status(desk, service) == "on_hold"
    second = sent(desk, service, KITCHEN)
    for word in ("accepted", "in_progress"):
        referrals.answer(desk, second.id, word)
    time.forward(hours=1)
    came(desk, first, description="Kanarifugl")
    Watch(desk.repository).look()
    assert status(desk, service) == "in_progress"


def test_a_move_that_is_not_in_the_table_is_refused_with_those_that_are(desk, service):
    task = sent(desk, service)
    with pytest.raises(NotNow) as refused:
        referrals.answer(desk, task.id, "completed")
    assert refused.value.allowed == ("received", "accepted", "rejected", "cancelled")
    with pytest.raises(Invalid):
        referrals.answer(desk, task.id, "cancelled")
    with pytest.raises(NotNow):
        referrals.send(desk, task.id)


def test_a_referral_that_was_declined_names_whom_to_ask_next(desk, service, time):
    """C-01, C-23"""
    task = sent(desk, service)
    referrals.answer(desk, task.id, "rejected", reason="full")
    assert status(desk, service) == "not_started"
    assert [found.reference for found in referrals.candidates(desk, service)] == [KITCHEN]
    Watch(desk.repository).look()
    made = watched(desk)["referral-declined"]
    assert (made["focus"], made["owner"], made["inputs"][0]["value"]) == (task.reference, DANA, {"reference": KITCHEN})
    assert sent(desk, service, KITCHEN).fields["status"] == "requested"


def watched(desk):
    found = [stored.record for stored in desk.repository.scan("Task") if not stored.deleted]
    return {task["code"]["code"]: task for task in found if task.get("requester") == WATCHER}


def test_a_referral_that_nobody_answers_in_time_is_told_once_with_others_to_ask(desk, service, shelf, time):
    """C-01, C-12"""
    task = sent(desk, service)
    watch = Watch(desk.repository)
    watch.look()
    time.forward(days=7)
    shelf.contact("alma", "2026-03-09T08:00:00Z", type="visit")
    watch.look()
    assert "referral-overdue" not in watched(desk)
    time.forward(days=1)
    assert watch.look().tasks == 1
    made = watched(desk)["referral-overdue"]
    assert (made["focus"], made["inputs"][0]["value"]) == (task.reference, {"reference": KITCHEN})
    assert referrals.of_case(desk, "c-alma")[0].overdue
    time.forward(days=1)
    assert watch.look().tasks == 0


def test_an_answer_that_came_by_another_door_is_carried_over_to_the_service(desk, service):
    """C-01, B-04"""
    task = sent(desk, service)
    for word in ("accepted", "in-progress", "completed"):
        came(desk, task, status=word)
        Watch(desk.repository).look()
    assert status(desk, service) == "completed"
    assert proofs(desk, "ServiceRequest/meals")[-1] == (WATCHER, None)


def came(desk, task, **elements):
    """What a pull or a FHIR write brings: another version of the task."""
    stored = desk.repository.read("Task", task.id)
    desk.repository.commit([Change("Task", stored.id, {**stored.raw, **elements}, stored.version)])


def test_what_the_case_manager_wrote_of_a_service_after_an_answer_stands(desk, service):
    task = sent(desk, service)
    came(desk, task, status="in-progress")
    Watch(desk.repository).look()
    move(desk, service, "on_hold")
    Watch(desk.repository).look()
    assert status(desk, service) == "on_hold"
    came(desk, task, status="in-progress", description="Kanarifugl comes again")
    Watch(desk.repository).look()
    assert status(desk, service) == "in_progress"


def test_a_service_that_is_cancelled_takes_its_open_referral_with_it(desk, service):
    task = sent(desk, service)
    move(desk, service, "cancelled")
    found = read(desk.repository, "task", task.id).fields
    assert (found["status"], found["status_reason"]) == ("cancelled", {"text": "The service was cancelled."})


def test_a_service_that_is_left_out_of_a_draft_takes_its_open_referral_with_it(desk, service):
    about = {"client": "Patient/alma", "case": "EpisodeOfCare/c-alma"}
    put(desk, "plan", "plan", about | {"status": "draft", "intent": "plan", "services": ["ServiceRequest/meals"]})
    task = sent(desk, service)
    leave_out(desk, "plan", "ServiceRequest/meals")
    assert (status(desk, service), read(desk.repository, "task", task.id).fields["status"]) == ("cancelled", "cancelled")


def test_a_service_that_was_cancelled_by_another_door_takes_its_open_referral_with_it(desk, service):
    task = sent(desk, service)
    stored = desk.repository.read("ServiceRequest", service)
    desk.repository.commit([Change("ServiceRequest", service, {**stored.raw, "status": "revoked"}, stored.version)])
    Watch(desk.repository).look()
    assert read(desk.repository, "task", task.id).fields["status"] == "cancelled"


def test_a_case_that_is_cancelled_takes_its_open_referrals_with_it(boss, desk, new_client):
    """TR-22"""
    new_client("bo")
    opened = open_case(desk, case("Patient/bo"))
    put(desk, "stakeholder", "rehab", {"kind": "rehab_facility", "name": "Kanarifugl"})
    about = {"client": "Patient/bo", "case": opened.reference}
    ordered(desk, "therapy", **about)
    task = sent(desk, "therapy", "Organization/rehab")
    transit(boss, opened.id, "TR-22", reason="Kanarifugl moved away")
    found = read(desk.repository, "task", task.id).fields
    assert (found["status"], found["status_reason"]) == ("cancelled", {"text": "The case has ended."})


def test_a_referral_to_a_service_is_answered_for_by_its_organisation(desk, service):
    put(desk, "healthcare_service", "lunch", {"name": "Kanarifugl's lunch", "organization": PANTRY})
    task = sent(desk, service, "HealthcareService/lunch")
    referrals.answer(desk, task.id, "accepted")
    assert proofs(desk, task.reference)[-1] == (DANA, PANTRY)


def role_of(desk, organization):
    raw = {"resourceType": "PractitionerRole", "active": True, "organization": {"reference": organization}}
    desk.repository.commit([Change("PractitionerRole", "baker", raw, 0)])
    return "PractitionerRole/baker"


@pytest.mark.parametrize(
    "organization", ["https://dir.example/fhir/Organization/1", "urn:uuid:8c1d0c0e-6a0f-5b55-9d6f-0b6f5ad0e1f3", "Anxiety/Depression"]
)
def test_a_referral_to_a_role_at_an_organisation_that_is_not_here_is_shown_and_answered(desk, service, organization):
    task = sent(desk, service, role_of(desk, organization))
    referrals.answer(desk, task.id, "accepted")
    assert [(row.status, row.by_fhir) for row in referrals.of_case(desk, "c-alma")] == [("accepted", False)]
    assert proofs(desk, task.reference)[-1] == (DANA, organization)
    assert "Anxiety" not in desk.repository.database.list_collection_names()


def test_a_role_at_a_version_of_an_organisation_is_told_with_consent_only(desk, service):
    """V-16"""
    put(desk, "consent", "agreed", read(desk.repository, "consent", "agreed").fields | {"status": "inactive"})
    draft = referrals.refer(desk, service, role_of(desk, f"{PANTRY}/_history/1"))
    with pytest.raises(RuleViolated) as refused:
        referrals.send(desk, draft.id)
    assert refused.value.code == "consent_missing"


@pytest.mark.parametrize(("address", "known"), [("https://pantry.example/fhir/", True), ("https://other.example/fhir", False)])
def test_whom_fhir_reaches_is_known_by_an_endpoint_that_is_a_remote_of_ours(desk, service, address, known):
    """A-13"""
    at = {"status": "active", "connection": {"code": "hl7-fhir-rest"}, "payload_types": [{"text": "any"}], "address": address}
    put(desk, "endpoint", "door", at)
    put(desk, "stakeholder", "pantry", {"kind": "community_org", "name": "Kanarifugl", "endpoints": ["Endpoint/door"]})
    State(desk.repository.database).put("remotes", "pantry", {"url": "https://pantry.example/fhir"})
    sent(desk, service)
    assert [row.by_fhir for row in referrals.of_case(desk, "c-alma")] == [known]


def test_the_open_referrals_of_a_case_come_first(desk, service):
    first = sent(desk, service)
    referrals.answer(desk, first.id, "rejected", reason="full")
    second = sent(desk, service, KITCHEN)
    rows = referrals.of_case(desk, "c-alma")
    assert [(row.reference, row.status, row.reason) for row in rows] == [
        (second.reference, "requested", None),
        (first.reference, "rejected", "full"),
    ]
    assert rows[0].leads_to == ("received", "accepted", "rejected", "cancelled")


def test_what_the_case_manager_has_to_do_about_a_service_is_no_referral(desk, service, shelf):
    shelf.task("own", client="Patient/alma", case="EpisodeOfCare/c-alma", focus="ServiceRequest/meals", status="completed")
    Watch(desk.repository).look()
    assert status(desk, service) == "not_started"
    assert referrals.of_case(desk, "c-alma") == []


def test_those_who_can_be_had_come_first_among_whom_to_ask_next(desk, service, time):
    """C-23"""
    for id in ("asked", "full", "free"):
        put(desk, "healthcare_service", id, {"name": f"Kanarifugl {id}", "types": [{"system": "urn:example:s", "code": "meals"}]})
    put(desk, "healthcare_service", "other", {"name": "Kanarifugl other", "types": [{"system": "urn:example:s", "code": "bus"}]})
    for id, state in (("full", "busy"), ("free", "free")):
        actor = [{"reference": f"HealthcareService/{id}"}]
        desk.repository.commit([Change("Schedule", id, {"resourceType": "Schedule", "actor": actor}, 0)])
        slot = {"resourceType": "Slot", "schedule": {"reference": f"Schedule/{id}"}, "status": state}
        desk.repository.commit([Change("Slot", id, slot | {"start": "2026-03-09T09:00:00Z", "end": "2026-03-09T10:00:00Z"}, 0)])
    sent(desk, service, "HealthcareService/asked")
    assert [found.reference for found in referrals.candidates(desk, service)] == ["HealthcareService/free", "HealthcareService/full"]


def test_what_is_no_referral_is_not_treated_as_one(desk, shelf):
    shelf.task("own", client="Patient/alma", focus="EpisodeOfCare/c-alma")
    with pytest.raises(Invalid):
        referrals.send(desk, "own")
    with pytest.raises(NotFound):
        referrals.refer(desk, "nothing", PANTRY)
