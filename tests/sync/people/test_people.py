"""Who is who, with two hospitals that are real FHIR servers: one person stays one, two stay two, and a doubt is a question."""

import pytest

from adapter.errors import Conflict
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.kept import waiting
from tests.sync.people.clinic import (
    TYPES,
    everybody,
    goal_here,
    holds_together,
    ids,
    observation,
    patient,
    person_here,
    questions,
    read,
    subjects,
)


def test_one_person_at_two_hospitals_is_one_here(clinics):
    """C-26"""
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1", telecom=[{"system": "phone", "value": "1"}])
    observation(first, f"Patient/{one['id']}")
    observation(second, f"Patient/{two['id']}")
    assert first.sync().clean
    assert second.sync().clean
    [person] = everybody(first)
    assert {link.remote for link in person.links} == {"first", "second"}
    assert subjects(first) == {person.reference}
    assert (questions(first), person.raw["telecom"]) == ([], [{"system": "phone", "value": "1"}])
    second.edit_there(two, maritalStatus={"text": "married"})
    second.sync()
    first.sync()
    assert first.there(one)["maritalStatus"] == {"text": "married"}
    assert first.there(one)["telecom"] == [{"system": "phone", "value": "1"}]
    holds_together(first)


def test_without_trust_nobody_is_matched(clinics):
    first, second = clinics
    second.bridge.remotes.change("second", {"trust": ()})
    patient(first, "1")
    patient(second, "1")
    first.sync()
    second.sync()
    assert (len(everybody(first)), questions(first)) == (2, [])


def test_an_element_in_which_the_two_differ_waits_for_a_person(clinics):
    first, second = clinics
    one, two = patient(first, "1", maritalStatus={"text": "a"}), patient(second, "1", maritalStatus={"text": "b"})
    first.sync()
    assert not second.sync().clean
    [(id, conflict)] = first.bridge.conflicts.all()
    assert (conflict["remote"], [row["path"] for row in conflict["rows"]]) == ("second", ["maritalStatus.text"])
    [person] = everybody(first)
    assert person.link("second") is not None
    assert (second.there(two)["maritalStatus"], first.there(one)["maritalStatus"]) == ({"text": "b"}, {"text": "a"})
    first.bridge.conflicts.resolve(id, {"*": "theirs"}, by="supervisor")
    assert first.sync().clean
    assert first.there(one)["maritalStatus"] == {"text": "b"}


def test_a_doubt_is_a_question_and_both_are_kept_apart_until_it_is_answered(clinics):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1", birthDate="1950-01-02")
    observation(second, f"Patient/{two['id']}")
    first.sync()
    second.sync()
    [(id, question)] = questions(first)
    here, other = first.here(one), second.here(two)
    assert (question["here"], question["other"]) == (here.reference, other.reference)
    again = second.sync()
    assert (again.holds, again.clean, again.questions) == (True, False, 1)
    assert len(questions(first)) == 1
    first.bridge.people.link(question["here"], question["other"], by="supervisor")
    assert questions(first) == []
    answered = first.bridge.people.questions.get(id)
    assert (answered["status"], answered["answer"]["by"]) == ("same", "supervisor")
    gone = read(first, other)
    assert (gone.raw["active"], gone.raw["link"]) == (False, [{"other": {"reference": here.reference}, "type": "replaced-by"}])
    assert subjects(first) == {here.reference}
    second.edit_there(two, deceasedBoolean=False)
    observation(second, f"Patient/{two['id']}")
    second.sync()
    assert subjects(first) == {here.reference}
    assert len([each for each in everybody(first) if each.raw.get("active") is not False]) == 1
    assert second.hospital.count("Patient", {}) == 1
    holds_together(first)


def test_a_certificate_is_not_clean_while_a_question_about_a_person_is_open(clinics):
    first, second = clinics
    patient(first, ssn="1", name=[{"family": "Kanarifugl"}])
    assert first.sync().clean
    patient(second, ssn="1", birthDate="1950-01-02")
    certificate = second.sync()
    assert (certificate.holds, certificate.clean, certificate.questions) == (True, False, 1)
    assert waiting(second.bridge.certificates.get("second")[1]) == 1
    [(id, found)] = second.bridge.people.questions.all()
    second.bridge.people.questions.answer(id, "different", by="supervisor")
    assert second.sync().clean


def test_different_is_remembered_until_the_identifiers_change(clinics):
    first, second = clinics
    patient(first, "1")
    two = patient(second, "1", birthDate="1950-01-02")
    first.sync()
    second.sync()
    [(id, _)] = questions(first)
    first.bridge.people.questions.answer(id, "different", by="supervisor")
    second.edit_there(two, maritalStatus={"text": "married"})
    second.sync()
    assert questions(first) == []
    second.edit_there(two, identifier=ids("1", "7"))
    second.sync()
    [(again, question)] = questions(first)
    assert (again, question["earlier"][0]["answer"]) == (id, "different")


def test_who_was_made_here_is_found_there_and_not_made_again(clinics):
    first, _ = clinics
    there = patient(first, "1", telecom=[{"system": "phone", "value": "1"}])
    ours = person_here(first, "1")
    assert first.sync(pull=False).clean
    assert first.hospital.count("Patient", {}) == 1
    assert read(first, ours).link("first").reference == f"Patient/{there['id']}"
    assert first.there(there)["telecom"] == [{"system": "phone", "value": "1"}]


def test_who_may_be_there_is_not_made_until_a_person_says_that_they_are_different(clinics):
    first, _ = clinics
    patient(first, "1", birthDate="1950-01-02")
    ours = person_here(first, "1")
    goal = goal_here(first, ours.reference)
    first.sync(pull=False)
    assert first.hospital.count("Patient", {}) == 1
    [(id, question)] = questions(first)
    assert question["here"] == ours.reference
    assert read(first, goal).link("first") is None
    first.bridge.people.questions.answer(id, "different", by="supervisor")
    assert first.sync(pull=False).clean
    assert first.hospital.count("Patient", {}) == 2
    assert read(first, goal).link("first") is not None


@pytest.mark.parametrize("stays", ["here", "there"])
def test_two_who_were_linked_by_hand_are_not_asked_about_again(clinics, stays):
    first, _ = clinics
    there = patient(first, "1", card="7")
    first.sync()
    ours, theirs = person_here(first, "1", birthDate="1960-01-01", language="nb"), first.here(there)
    pair = (ours, theirs) if stays == "here" else (theirs, ours)
    first.bridge.people.link(*(each.reference for each in pair), by="supervisor")
    for pull in (False, True):
        first.sync(pull=pull)
        assert questions(first) == []
    assert first.hospital.count("Patient", {}) == 1
    assert read(first, pair[0]).link("first").reference == f"Patient/{there['id']}"
    holds_together(first)


def test_somebody_made_here_later_than_they_arrived_is_asked_about_before_they_are_made_there(clinics):
    first, _ = clinics
    there = patient(first, "1")
    first.sync()
    ours = person_here(first, "1")
    first.sync()
    [(_, question)] = questions(first)
    assert (question["here"], question["other"]) == (ours.reference, first.here(there).reference)
    assert first.hospital.count("Patient", {}) == 1
    first.bridge.people.link(question["here"], question["other"], by="supervisor")
    assert first.sync().clean
    assert first.hospital.count("Patient", {}) == 1
    assert first.here(there).id == ours.id


def test_two_pulls_at_once_make_one_of_one_person(clinics, new_database, monkeypatch):
    """The second hospital's pull runs from start to end between the first one's look and its write."""
    first, second = clinics
    patient(first, "1")
    patient(second, "1")
    commit, ran = first.bridge.repository.commit, []

    def late(changes, **options):
        if not ran and any(change.type == "Patient" for change in changes):
            ran.append(Bridge(first.bridge.repository.database).sync("second", push=False, say=lambda _: None))
        return commit(changes, **options)

    monkeypatch.setattr(first.bridge.repository, "commit", late)
    first.sync(push=False)
    assert len(ran) == 1
    [person] = everybody(first)
    assert {link.remote for link in person.links} == {"first", "second"}
    assert len([*first.bridge.people.unions.all()]) == 1
    holds_together(first)


def test_two_of_one_hospital_who_share_an_identifier_are_a_question_and_not_linked_unless_they_are_merged_there(clinics):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, "1")
    first.sync()
    [(_, question)] = questions(first)
    assert {question["here"], question["other"]} == {first.here(one).reference, first.here(two).reference}
    with pytest.raises(Conflict, match="keeps them as two"):
        first.bridge.people.link(question["here"], question["other"], by="supervisor")


def test_references_that_came_before_their_person_lead_to_who_was_here(clinics):
    first, second = clinics
    patient(first, "1")
    two = patient(second, "1")
    second.bridge.remotes.change("second", {"types": ("Observation",)})
    observation(second, f"Patient/{two['id']}")
    second.sync()
    first.sync()
    second.bridge.remotes.change("second", {"types": TYPES})
    second.sync()
    [person] = everybody(first)
    assert subjects(first) == {person.reference}


def test_organisations_are_matched_by_the_same_table(clinics):
    first, second = clinics
    for world in clinics:
        world.hospital.create({"resourceType": "Organization", "name": "Clinic Kanarifugl", "identifier": ids("9")})
    first.sync()
    second.sync()
    [organisation] = everybody(first, "Organization")
    assert {link.remote for link in organisation.links} == {"first", "second"}


def test_a_plan_tells_who_is_known_and_writes_nothing(clinics):
    first, second = clinics
    one = patient(first, "1")
    patient(second, "1", telecom=[{"system": "phone", "value": "1"}])
    first.sync()
    ours = person_here(first, "2")
    patient(second, "2")
    version = first.here(one).version
    pulled = {entry.id: entry for entry in first.bridge.plan("second", push=False) if entry.type == "Patient"}
    assert {entry.reason for entry in pulled.values()} == {"known by a trusted identifier"}
    assert pulled.keys() == {first.here(one).id, ours.id}
    [pushed] = [entry for entry in first.bridge.plan("second", pull=False) if entry.id == ours.id]
    assert (pushed.action, "a sync links them" in pushed.reason) == ("skip", True)
    assert first.here(one).version == version
    assert list(first.bridge.people.unions.all()) == []


def test_who_is_deleted_at_one_hospital_and_known_at_another_is_not_deleted_before_a_person_says_so(clinics):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1")
    first.sync()
    second.sync()
    second.hospital.delete("Patient", two["id"])
    assert not second.sync().clean
    [(_, conflict)] = first.bridge.conflicts.all()
    assert conflict["reason"] == "deleted there; it is not theirs alone"
    first.sync()
    assert first.there(one)["id"] == one["id"]
    assert not first.here(one).deleted
