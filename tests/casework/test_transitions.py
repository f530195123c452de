"""A transition of care at a desk: made ready, its summary sent, the receiver's word taken up."""

import json

import pytest

from adapter.access.viewer import Viewer
from adapter.casework import transitions
from adapter.casework.records import put, read, remove, save
from adapter.casework.watch import WATCHER, Watch
from adapter.errors import Invalid, NotFound, NotNow, RuleViolated
from adapter.fhir.references import walk
from adapter.fhir.resource import check_structure, parse
from adapter.store.documents import Change
from adapter.store.sight import JUDGED, sight_of
from server.fhir.operations import invariants
from tests.casework.conftest import BOSS, DANA
from tests.casework.shelf import Shelf

REHAB = "Organization/rehab"
ABOUT = {"client": "Patient/alma", "case": "EpisodeOfCare/c-alma"}
SDOH = {"system": "http://hl7.org/fhir/us/core/CodeSystem/us-core-category", "code": "sdoh"}
PRIVACY = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
OPT_IN = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "OPTIN"}]}
HELD = {"status": "completed", "occurred_at": "2026-03-02T09:30:00Z"}
TOPICS = ("lifestyle", "medication_administration", "when_to_return")


@pytest.fixture
def shelf(desk):
    """A case whose client is in hospital, with a plan, its services, and what another system sent of medications and allergies."""
    found = Shelf(desk.repository)
    found.case("alma", tier="low", managing_organization="Organization/clinic")
    found.contact("alma", "2026-03-02T08:00:00Z", type="visit")
    found.stay("alma", "2026-02-25")
    for id, kind in (("rehab", "rehab_facility"), ("clinic", "hospital")):
        put(desk, "stakeholder", id, {"kind": kind, "name": f"Kanarifugl {id}"})
    concerns = {"problem": "Kanarifugl's stroke", "need": "Kanarifugl is <hungry> & tired", "old": "Kanarifugl's cold"}
    for id, text in concerns.items():
        extra = {"categories": [SDOH]} if id == "need" else {}
        status = {"clinical_status": "resolved" if id == "old" else "active"}
        save(desk.repository, "condition", id, ABOUT | {"code": {"text": text}, "verification_status": "confirmed"} | status | extra)
    kin = {
        "client": "Patient/alma",
        "names": [{"family": "Kanarifugl", "given": ["Jon"]}],
        "relationships": [{"code": "CHILD", "display": "child"}],
    }
    save(desk.repository, "support_person", "jon", kin | {"may_receive_information": True})
    save(desk.repository, "support_person", "eve", kin | {"names": [{"family": "Kanarifugl", "given": ["Eve"]}]})
    goal = {"lifecycle": "active", "kind": "self_care", "description": "Kanarifugl walks", "expressed_by": "Patient/alma"}
    save(desk.repository, "goal", "walk", ABOUT | goal | {"addresses": ["Condition/problem"]})
    service = {"status": "in_progress", "intent": "order", "kind": "therapy", "description": "Kanarifugl's therapy"}
    save(desk.repository, "planned_service", "therapy", ABOUT | service | {"performers": [REHAB], "reasons": ["Observation/secret"]})
    plan = {"status": "active", "intent": "plan", "goals": ["Goal/walk"], "services": ["ServiceRequest/therapy"]}
    save(desk.repository, "plan", "plan", ABOUT | plan)
    subject = {"reference": "Patient/alma"}
    pills = {"resourceType": "MedicationRequest", "status": "active", "intent": "order", "subject": subject}
    for id, medication in (("pills", "Kanarifugl's pills"), ("old-pills", "none")):
        raw = pills | {"medicationCodeableConcept": {"text": medication}, "status": "active" if id == "pills" else "stopped"}
        desk.repository.commit([Change("MedicationRequest", id, raw, 0)])
    allergy = {"resourceType": "AllergyIntolerance", "patient": subject, "code": {"text": "Kanarifugl's nuts"}}
    desk.repository.commit([Change("AllergyIntolerance", "nuts", allergy, 0)])
    return found


@pytest.fixture
def plan(desk, shelf):
    return put(desk, "transition_plan", "move", ABOUT | departure()).id


def departure(**fields):
    whole = {"encounter": "Encounter/stay-alma", "status": "in_progress", "to_setting": "rehab", "receiver": REHAB}
    return whole | {"target_date": "2026-03-05"} | fields


def handover(desk):
    [task] = [stored for stored in desk.repository.scan("Task") if stored.record.get("focus") == "QuestionnaireResponse/move"]
    return task


def kinds(desk):
    return sorted(stored.record["code"]["code"] for stored in desk.repository.scan("Task") if stored.record.get("requester") == WATCHER)


def test_the_checklist_is_brought_to_what_the_record_tells_and_a_person_s_word_stays(desk, plan):
    """P-23, P-12"""
    put(
        desk,
        "transition_plan",
        plan,
        read(desk.repository, "transition_plan", plan).fields | {"readiness": {"transport": {"status": "done"}}},
    )
    found = transitions.prepare(desk, plan).fields["readiness"]
    assert {item: state["status"] for item, state in found.items()} == {
        **dict.fromkeys(("clinical_stability", "medication_reconciliation", "summary_sent", "followup_booked", "caregiver_ready"), "open"),
        **dict.fromkeys(("education_lifestyle", "education_medication", "education_return"), "open"),
        **dict.fromkeys(("equipment", "authorisation"), "not_applicable"),
        "transport": "done",
    }
    assert found["transport"] == {"status": "done"}
    for topic in TOPICS:
        put(desk, "education", topic.replace("_", "-"), ABOUT | {"status": "completed", "topic": topic})
    put(
        desk,
        "appointment",
        "visit",
        ABOUT | {"client_attendance": "accepted", "status": "booked", "start": "2026-03-09T09:00:00Z", "end": "2026-03-09T10:00:00Z"},
    )
    after = transitions.prepare(desk, plan).fields["readiness"]
    assert {item for item, state in after.items() if state["status"] == "done"} == {
        *("education_lifestyle", "education_medication", "education_return", "followup_booked", "transport"),
    }
    put(desk, "appointment", "visit", read(desk.repository, "appointment", "visit").fields | {"status": "cancelled"})
    assert transitions.prepare(desk, plan).fields["readiness"]["followup_booked"]["status"] == "open"


def test_what_is_sent_is_a_document_with_a_section_for_each_thing_and_all_that_it_refers_to(desk, plan):
    """P-24"""
    transitions.send(desk, plan)
    bundle = transitions.package(desk, plan)
    check_structure(bundle)
    assert list(invariants.broken(bundle)) == []
    first = bundle["entry"][0]["resource"]
    assert (bundle["type"], first["resourceType"], first["type"]["coding"][0]["code"]) == ("document", "Composition", "18761-7")
    titles = [section["title"] for section in first["section"]]
    assert titles == [
        *("Problems", "Medications", "Allergies and intolerances", "Care plan and goals", "Services, and what of them is pending"),
        *("Social needs", "Contacts", "What is not ready yet"),
    ]
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(urls) == len(set(urls))
    assert {each["reference"] for entry in bundle["entry"] for each in walk(entry["resource"])} <= set(urls)
    there = {f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in bundle["entry"][1:]}
    assert there >= {
        *("Patient/alma", "Encounter/stay-alma", DANA, REHAB, "Organization/clinic", "Condition/problem", "Condition/need"),
        *(
            "MedicationRequest/pills",
            "AllergyIntolerance/nuts",
            "CarePlan/plan",
            "Goal/walk",
            "ServiceRequest/therapy",
            "RelatedPerson/jon",
        ),
    }
    assert not there & {"Condition/old", "MedicationRequest/old-pills", "RelatedPerson/eve", "EpisodeOfCare/c-alma"}
    text = json.dumps(bundle)
    assert "Observation/secret" not in text
    assert "Kanarifugl is &lt;hungry&gt; &amp; tired" in text
    assert "therapy (in progress, pending)" in text


def test_the_document_is_found_by_its_reference_and_the_receiver_is_asked_by_a_task(desk, plan):
    after = transitions.send(desk, plan).fields
    stored = desk.repository.read(*after["package"].split("/"))
    check_structure(stored.raw)
    attachment = stored.raw["content"][0]["attachment"]
    assert (stored.raw["status"], attachment["contentType"]) == ("current", "application/fhir+json")
    assert stored.raw["masterIdentifier"]["value"] == transitions.package(desk, plan)["identifier"]["value"]
    assert after["readiness"]["summary_sent"] == {"status": "done"}
    task = handover(desk).record
    assert task.items() >= {"status": "requested", "owner": REHAB, "due": "2026-03-05", "requester": DANA}.items()
    assert task["inputs"][0]["value"] == {"reference": after["package"]}
    assert "synthetic" in str(stored.raw["meta"]["tag"])


def test_who_may_not_see_what_is_in_the_document_does_not_see_the_document(desk, plan, time):
    """P-24, V-16"""
    opioids = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F11.20"}
    addiction = {"code": opioids, "verification_status": "confirmed", "clinical_status": "active"}
    save(desk.repository, "condition", "addiction", ABOUT | addiction)
    payor = [{"reference": "Organization/ins"}]
    about = {"subject": {"reference": "Patient/alma"}}
    for type, fields in {
        "Coverage": {"beneficiary": about["subject"], "payor": payor},
        "Consent": {"scope": PRIVACY, "patient": about["subject"], "policyRule": OPT_IN},
        "DocumentReference": about,
    }.items():
        desk.repository.commit([Change(type, "other", {"resourceType": type, "status": "active", **fields}, 0)])
    reference = transitions.send(desk, plan).fields["package"]
    security = desk.repository.read(*reference.split("/")).raw["meta"]["security"]
    assert {"R", "ETH"} <= {label["code"] for label in security}

    def seen(viewer, type):
        repository = desk.repository
        sight = sight_of(repository.database, viewer, time())
        documents = list(repository.collection(type).find({}, JUDGED))
        return {f"{type}/{document['_id']}" for document in documents if document["_id"] in sight.seen(type, documents)}

    insurer = Viewer("insurer-reader", frozenset(("Organization/ins",)), "HPAYMT")
    assert seen(insurer, "Condition") >= {"Condition/problem"}
    assert "Condition/addiction" not in seen(insurer, "Condition")
    assert seen(insurer, "DocumentReference") == {"DocumentReference/other"}
    assert seen(Viewer("case-manager", frozenset((DANA,)), "CAREMGT"), "DocumentReference") == {"DocumentReference/other", reference}


def test_the_same_state_is_sent_once_and_another_replaces_the_document_in_the_same_task(desk, plan):
    """P-24"""
    first = transitions.send(desk, plan)
    again = transitions.send(desk, plan)
    assert again.version == first.version
    assert desk.repository.read(*first.fields["package"].split("/")).version == 1
    old = transitions.package(desk, plan)
    save(desk.repository, "goal", "walk", read(desk.repository, "goal", "walk").fields | {"achievement": "improving"})
    second = transitions.send(desk, plan)
    new = transitions.package(desk, plan)
    assert new["entry"][0]["resource"]["relatesTo"][0]["targetIdentifier"] == old["identifier"]
    assert desk.repository.read(*first.fields["package"].split("/")).raw["status"] == "superseded"
    raw = desk.repository.read(*second.fields["package"].split("/")).raw
    assert raw["relatesTo"] == [{"code": "replaces", "target": {"reference": first.fields["package"]}}]
    assert handover(desk).record["inputs"][0]["value"] == {"reference": second.fields["package"]}
    assert transitions.send(desk, plan).version == second.version


def test_a_document_needs_a_receiver_who_may_be_told(desk, plan):
    """V-16"""
    fields = read(desk.repository, "transition_plan", plan).fields
    put(desk, "transition_plan", plan, {name: value for name, value in fields.items() if name != "receiver"})
    with pytest.raises(RuleViolated) as refused:
        transitions.send(desk, plan)
    assert refused.value.code == "receiver_missing"
    put(desk, "transition_plan", plan, fields | {"receiver": "RelatedPerson/eve"})
    with pytest.raises(Invalid):
        transitions.send(desk, plan)
    put(desk, "stakeholder", "rehab", {"kind": "community_org", "name": "Kanarifugl"})
    put(desk, "transition_plan", plan, fields)
    with pytest.raises(RuleViolated) as refused:
        transitions.send(desk, plan)
    assert refused.value.code == "consent_missing"
    with pytest.raises(NotFound):
        transitions.package(desk, plan)


def test_a_receiver_without_fhir_is_answered_for_and_the_first_contact_is_planned(desk, plan):
    """P-24, C-20"""
    transitions.send(desk, plan)
    after = transitions.answer(desk, plan, "accepted").fields
    assert after["acknowledged_at"].startswith("2026-03-02")
    assert after["first_follow_up_due_at"] == "2026-03-04"
    [contact] = [stored.record for stored in planned(desk)]
    assert (contact["planned_at"], contact["source"]) == ("2026-03-04", "client")
    proofs = [stored.raw["agent"][0] for stored in desk.repository.scan("Provenance")]
    assert {"reference": REHAB} in [agent.get("onBehalfOf") for agent in proofs if agent["who"]["reference"] == DANA]
    assert transitions.answer(desk, plan, "accepted").fields == after


def test_a_receiver_who_was_asked_says_accepted_or_rejected_with_a_reason(desk, plan):
    with pytest.raises(NotFound):
        transitions.answer(desk, plan, "accepted")
    transitions.send(desk, plan)
    with pytest.raises(Invalid):
        transitions.answer(desk, plan, "completed")
    with pytest.raises(RuleViolated):
        transitions.answer(desk, plan, "rejected")
    transitions.answer(desk, plan, "rejected", reason="full")
    Watch(desk.repository).look()
    assert "transition-declined" in kinds(desk)


@pytest.mark.parametrize(("status", "acknowledged"), [("accepted", True), ("received", False), ("completed", True)])
def test_a_word_that_came_by_another_door_is_taken_up(desk, plan, status, acknowledged):
    """P-24, B-04"""
    transitions.send(desk, plan)
    task = handover(desk)
    desk.repository.commit([Change("Task", task.id, {**task.raw, "status": status, "lastModified": "2026-03-02T09:00:01Z"}, task.version)])
    watch = Watch(desk.repository)
    watch.look()
    after = read(desk.repository, "transition_plan", plan)
    assert after.fields.get("acknowledged_at") == ("2026-03-02T09:00:01Z" if acknowledged else None)
    watch.look()
    assert read(desk.repository, "transition_plan", plan).version == after.version


def test_a_transition_that_nobody_acknowledges_is_told_to_a_supervisor_though_it_is_not_urgent(desk, plan, shelf, time):
    """P-24"""
    transitions.send(desk, plan)
    watch = Watch(desk.repository)
    watch.look()
    # Due on Thursday, the 5th; two business days later is Monday, the 9th.
    time.forward(days=7)
    shelf.contact("alma", "2026-03-09T08:00:00Z", type="visit")
    watch.look()
    assert "task-escalated" not in kinds(desk)
    time.forward(days=1)
    watch.look()
    [task] = [stored.record for stored in desk.repository.scan("Task") if stored.record.get("code", {}).get("code") == "task-escalated"]
    assert (task["owner"], task["focus"]) == (BOSS, handover(desk).reference)


def test_without_a_day_of_the_transition_the_policy_says_until_when_the_word_is_waited_for(desk, plan):
    fields = read(desk.repository, "transition_plan", plan).fields
    put(desk, "transition_plan", plan, {name: value for name, value in fields.items() if name != "target_date"})
    transitions.send(desk, plan)
    # Five business days from Monday, 2 March.
    assert handover(desk).record["due"] == "2026-03-09"


def test_a_receiver_is_asked_anew_by_another_task_though_one_was_deleted(desk, plan):
    def asked():
        transitions.send(desk, plan)
        [own] = [stored.id for stored in desk.repository.scan("Task") if not stored.deleted and stored.record["status"] == "requested"]
        return own

    made = []
    for number in range(3):
        if number == 2:
            remove(desk, "task", made[0])
        made.append(asked())
        transitions.answer(desk, plan, "rejected", reason="full")
    assert len(set(made)) == 3


def home(desk, plan):
    """Another receiver named in the plan."""
    put(desk, "stakeholder", "home", {"kind": "home_health_provider", "name": "Kanarifugl home"})
    fields = read(desk.repository, "transition_plan", plan).fields
    put(desk, "transition_plan", plan, fields | {"receiver": "Organization/home"})


def planned(desk):
    return [stored for stored in desk.repository.scan("Encounter", {"concept": "follow_up"}) if stored.record["status"] == "planned"]


def test_another_receiver_takes_the_place_of_the_first(desk, plan, time):
    """P-24: what the first said counts no more, and the second's word is taken up as the first's was."""
    transitions.send(desk, plan)
    transitions.answer(desk, plan, "accepted")
    home(desk, plan)
    after = transitions.send(desk, plan).fields
    tasks = {stored.record["owner"]: stored.record["status"] for stored in desk.repository.scan("Task")}
    assert tasks == {REHAB: "cancelled", "Organization/home": "requested"}
    assert not after.keys() & {"acknowledged_at", "first_follow_up_due_at"}
    time.forward(days=1)
    after = transitions.answer(desk, plan, "accepted").fields
    assert (after["acknowledged_at"][:10], after["first_follow_up_due_at"]) == ("2026-03-03", "2026-03-05")
    assert [contact.record["planned_at"] for contact in planned(desk)] == ["2026-03-05"]


def test_a_first_contact_that_was_held_is_planned_again_for_another_receiver(desk, plan):
    transitions.send(desk, plan)
    transitions.answer(desk, plan, "accepted")
    [contact] = planned(desk)
    save(desk.repository, "follow_up", contact.id, read(desk.repository, "follow_up", contact.id).fields | HELD)
    home(desk, plan)
    transitions.send(desk, plan)
    transitions.answer(desk, plan, "accepted")
    assert [contact.record["planned_at"] for contact in planned(desk)] == ["2026-03-04"]


def test_the_word_of_who_was_the_receiver_before_counts_for_nothing(desk, plan):
    transitions.send(desk, plan)
    home(desk, plan)
    said(desk, handover(desk), "completed")
    Watch(desk.repository).look()
    assert "acknowledged_at" not in read(desk.repository, "transition_plan", plan).fields


def said(desk, task, status):
    """The receiver's word, as a pull or a FHIR write brings it."""
    desk.repository.commit([Change("Task", task.id, {**task.raw, "status": status}, task.version)])


def test_a_transition_that_was_stopped_takes_the_asking_with_it(desk, plan):
    transitions.send(desk, plan)
    put(desk, "transition_plan", plan, read(desk.repository, "transition_plan", plan).fields | {"status": "stopped"})
    found = handover(desk).record
    assert (found["status"], found["status_reason"]) == ("cancelled", {"text": "The transition was stopped."})
    with pytest.raises(NotNow) as refused:
        transitions.answer(desk, plan, "accepted")
    assert refused.value.code == "transition_over"


@pytest.mark.parametrize(("word", "left"), [(None, "cancelled"), ("accepted", "cancelled"), ("completed", "completed")])
def test_a_transition_that_was_stopped_by_another_door_is_not_acknowledged_and_nobody_is_asked(desk, plan, word, left):
    transitions.send(desk, plan)
    stored = desk.repository.read("QuestionnaireResponse", plan)
    desk.repository.commit([Change(stored.type, stored.id, {**stored.raw, "status": "stopped"}, stored.version)])
    if word:
        said(desk, handover(desk), word)
    Watch(desk.repository).look()
    assert "acknowledged_at" not in read(desk.repository, "transition_plan", plan).fields
    assert handover(desk).record["status"] == left


def test_a_transition_that_is_over_is_not_sent(desk, plan):
    fields = read(desk.repository, "transition_plan", plan).fields
    put(desk, "transition_plan", plan, fields | {"status": "stopped"})
    with pytest.raises(NotNow) as refused:
        transitions.send(desk, plan)
    assert refused.value.code == "transition_over"


def test_the_document_is_the_same_text_for_the_same_state(desk, plan, time):
    transitions.send(desk, plan)
    reference = read(desk.repository, "transition_plan", plan).fields["package"]
    first = desk.repository.read(*reference.split("/")).raw
    time.forward(hours=5)
    transitions.send(desk, plan)
    assert parse(desk.repository.read(*reference.split("/")).text) == first
