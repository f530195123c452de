"""Who is who, with two hospitals that are real FHIR servers: one person stays one, two stay two, and what was linked wrongly goes back."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from adapter.errors import Conflict, Invalid, VersionConflict
from adapter.fhir.client import FhirClient
from adapter.fhir.references import walk
from adapter.fhir.resource import content, same
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.store.verify import verify
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.kept import waiting
from adapter.sync.people.parting import split
from adapter.sync.people.people import People
from adapter.sync.rehearsal.saved_plan import read as saved_plan
from adapter.sync.remotes.remote import Remote
from tests.sync.hospital import hospital_server
from tests.sync.world import World

SSN, CARD = "urn:example:ssn", "urn:example:card"
TYPES = ("Organization", "Patient", "Observation", "Goal")
TRUST = (SSN, CARD)


@pytest.fixture
def clinics(database: Any, new_database: Callable[[], Any]) -> Iterator[tuple[World, World]]:
    """Two hospitals of one bridge, which trusts their identifiers."""
    with hospital_server(new_database()) as first, hospital_server(new_database()) as second:
        bridge = Bridge(database)
        for name, url in (("first", first), ("second", second)):
            bridge.remotes.add(Remote(name, url, types=TYPES, trust=TRUST))
        worlds = [World(bridge, FhirClient(url), bridge.remotes.get(name)) for name, url in (("first", first), ("second", second))]
        yield worlds[0], worlds[1]
        for each in worlds:
            each.hospital.close()


def ids(ssn: str = "", card: str = "") -> list[dict[str, Any]]:
    return [{"system": system, "value": value} for system, value in ((SSN, ssn), (CARD, card)) if value]


def patient(world: World, ssn: str = "", card: str = "", **elements: Any) -> dict[str, Any]:
    return world.patient_there(**{"birthDate": "1950-01-01", "identifier": ids(ssn, card), **elements})


def observation(world: World, of: str, text: str = "Kanarifugl") -> dict[str, Any]:
    written = world.hospital.create(
        {"resourceType": "Observation", "status": "final", "code": {"text": text}, "subject": {"reference": of}}
    )
    return world.hospital.read("Observation", written.id).raw


def make_here(world: World, type: str, **elements: Any) -> Stored:
    return world.bridge.repository.commit([Change(type, uuid4().hex, {"resourceType": type, **elements}, 0)])[0]


def person_here(world: World, ssn: str = "", **elements: Any) -> Stored:
    told = {"identifier": ids(ssn or uuid4().hex), "birthDate": "1950-01-01", "gender": "female"}
    return make_here(world, "Patient", **{"name": [{"use": "official", "family": "Kanarifugl"}], **told, **elements})


def goal_here(world: World, of: str) -> Stored:
    return make_here(world, "Goal", lifecycleStatus="active", description={"text": "walk (Kanarifugl)"}, subject={"reference": of})


def everybody(world: World, type: str = "Patient") -> list[Stored]:
    return [stored for stored in world.bridge.repository.scan(type) if not stored.deleted]


def read(world: World, stored: Stored) -> Stored:
    return world.bridge.repository.read(stored.type, stored.id)


def edit(world: World, stored: Stored, **elements: Any) -> Stored:
    now = read(world, stored)
    return world.bridge.repository.commit([Change(now.type, now.id, {**now.raw, **elements}, now.version)])[0]


def questions(world: World) -> list[tuple[str, dict[str, Any]]]:
    return list(world.bridge.people.questions.all())


def subjects(world: World) -> set[str]:
    return {found["reference"] for type in ("Observation", "Goal") for stored in everybody(world, type) for found in walk(stored.raw)}


def holds_together(world: World) -> None:
    assert [finding for finding in verify(world.bridge.repository) if not finding.note] == []


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


def contents(*stored: Stored) -> list[dict[str, Any]]:
    return [content(each.raw) for each in stored]


def alike(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> bool:
    return same(left, right)


def test_a_link_by_identifier_goes_back_with_everything_that_came_by_it(clinics):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1", telecom=[{"system": "phone", "value": "1"}])
    kept, moved = observation(first, f"Patient/{one['id']}"), observation(second, f"Patient/{two['id']}")
    first.sync()
    before = contents(first.here(one), first.here(kept))
    second.sync()
    person = first.here(one)
    late = observation(second, f"Patient/{two['id']}", "late (Kanarifugl)")
    second.edit_there(two, deceasedBoolean=False)
    second.sync()
    ours = goal_here(first, person.reference)
    edit(first, person, contact=[{"name": {"family": "Kanarifugl"}}])
    first.sync()
    second.sync()
    [(id, _)] = first.bridge.people.unions.all()
    survivor, loser = split(first.bridge.people, id, by="supervisor")
    assert survivor == person.reference
    assert alike(contents(first.here(kept)), before[1:])
    assert alike(contents(read(first, person)), [{**before[0], "contact": [{"name": {"family": "Kanarifugl"}}]}])
    back = second.here(two)
    assert back.reference == loser
    assert (back.raw["telecom"], back.raw["deceasedBoolean"]) == ([{"system": "phone", "value": "1"}], False)
    assert "contact" not in back.raw
    assert {second.here(each).raw["subject"]["reference"] for each in (moved, late)} == {loser}
    assert read(first, ours).raw["subject"]["reference"] == survivor
    assert second.sync().clean
    assert first.sync().clean
    assert "contact" not in second.there(two)
    assert "deceasedBoolean" not in first.there(one)
    assert [read(first, person).link(remote) is not None for remote in ("first", "second")] == [True, False]
    assert questions(first) == []
    assert first.bridge.people.questions.get(id)["answer"]["by"] == "supervisor"
    holds_together(first)


def test_a_link_by_hand_goes_back_exactly_and_edits_in_between_stay(clinics):
    first, second = clinics
    one, two = patient(first, "1", telecom=[{"system": "phone", "value": "1"}]), patient(second, "2", maritalStatus={"text": "widowed"})
    seen = [observation(first, f"Patient/{one['id']}"), observation(second, f"Patient/{two['id']}")]
    first.sync()
    second.sync()
    here, other = first.here(one), second.here(two)
    both = {"lifecycleStatus": "active", "description": {"text": "Kanarifugl"}, "subject": {"reference": other.reference}}
    speaking_of_both = make_here(first, "Goal", **both, expressedBy={"reference": here.reference})
    records = [here, other, speaking_of_both, first.here(seen[0]), second.here(seen[1])]
    before = contents(*records)
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    assert subjects(first) == {here.reference}
    assert not alike(contents(*(read(first, each) for each in records)), before)
    edit(first, speaking_of_both, note=[{"text": "in between (Kanarifugl)"}])
    edit(first, here, deceasedBoolean=False)
    split(first.bridge.people, id, by="supervisor")
    before[0]["deceasedBoolean"] = False
    before[2]["note"] = [{"text": "in between (Kanarifugl)"}]
    assert alike(contents(*(read(first, each) for each in records)), before)
    assert read(first, other).link("second").reference == f"Patient/{two['id']}"
    with pytest.raises(Invalid):
        split(first.bridge.people, id, by="supervisor")
    version = second.there(two)["meta"]["versionId"]
    assert second.sync().clean
    assert (second.there(two)["meta"]["versionId"], second.there(two)["maritalStatus"]) == (version, {"text": "widowed"})
    holds_together(first)


def test_a_link_that_was_interrupted_is_ended_by_the_same_call(clinics, monkeypatch):
    first, _ = clinics
    here, other = person_here(first), person_here(first)
    goals = [goal_here(first, other.reference) for _ in range(3)]

    class Died(Exception):
        pass

    def dies(self, batch):
        raise Died

    monkeypatch.setattr("adapter.sync.people.people.People._commit", dies)
    with pytest.raises(Died):
        first.bridge.people.link(here.reference, other.reference, by="supervisor")
    monkeypatch.undo()
    assert subjects(first) == {other.reference}
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    assert subjects(first) == {here.reference}
    split(first.bridge.people, id, by="supervisor")
    assert {read(first, goal).raw["subject"]["reference"] for goal in goals} == {other.reference}


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


def merge_there(world: World, survivor: dict[str, Any], loser: dict[str, Any]) -> None:
    other = {"reference": f"Patient/{survivor['id']}"}
    world.edit_there(loser, active=False, link=[{"other": other, "type": "replaced-by"}])


def test_a_merge_at_the_hospital_is_followed(clinics):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, card="7", gender=None)
    first.hospital.update(
        {**{k: v for k, v in first.there(two).items() if k != "gender"}, "birthDate": "1950"}, if_match=two["meta"]["versionId"]
    )
    first.sync()
    survivor, loser = first.here(one), first.here(two)
    goal = goal_here(first, loser.reference)
    first.sync()
    merge_there(first, one, two)
    assert first.sync().clean
    assert read(first, goal).raw["subject"]["reference"] == survivor.reference
    [(id, union)] = first.bridge.people.unions.all()
    assert (union["survivor"], union["loser"], union["status"]) == (survivor.reference, loser.reference, "linked")
    goal_there = read(first, goal).link("first").reference.partition("/")[2]
    assert first.hospital.read("Goal", goal_there).raw["subject"]["reference"] == f"Patient/{one['id']}"
    split(first.bridge.people, id, by="supervisor")
    assert read(first, goal).raw["subject"]["reference"] == loser.reference


def test_a_merge_at_the_hospital_of_two_with_whom_we_work_is_a_question(clinics):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, "2")
    first.sync()
    goals = [goal_here(first, first.here(each).reference) for each in (one, two)]
    merge_there(first, one, two)
    first.sync()
    [(_, question)] = questions(first)
    assert (question["here"], question["other"]) == (first.here(one).reference, first.here(two).reference)
    assert read(first, goals[1]).raw["subject"]["reference"] == first.here(two).reference
    first.bridge.people.link(question["here"], question["other"], by="supervisor")
    assert read(first, goals[1]).raw["subject"]["reference"] == first.here(one).reference
    assert first.sync().clean


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


def test_a_conflict_about_two_who_were_linked_goes_with_the_link(clinics):
    first, second = clinics
    patient(first, "1", maritalStatus={"text": "a"})
    two = patient(second, "1", maritalStatus={"text": "b"})
    first.sync()
    second.sync()
    [person] = everybody(first)
    before = contents(person)
    [(id, _)] = first.bridge.people.unions.all()
    split(first.bridge.people, id, by="supervisor")
    assert list(first.bridge.conflicts.all()) == []
    assert alike(contents(read(first, person)), before)
    assert second.here(two).raw["maritalStatus"] == {"text": "b"}
    assert second.sync().clean


def test_a_decision_that_came_by_a_link_goes_back_with_it(clinics):
    first, second = clinics
    one, two = patient(first, "1", maritalStatus={"text": "a"}), patient(second, "1", maritalStatus={"text": "b"})
    first.sync()
    second.sync()
    [(conflict, _)] = first.bridge.conflicts.all()
    first.bridge.conflicts.resolve(conflict, {"*": "theirs"}, by="supervisor")
    first.sync()
    [(id, _)] = first.bridge.people.unions.all()
    split(first.bridge.people, id, by="supervisor")
    assert (first.here(one).raw["maritalStatus"], second.here(two).raw["maritalStatus"]) == ({"text": "a"}, {"text": "b"})
    assert first.sync().clean
    assert first.there(one)["maritalStatus"] == {"text": "a"}


def test_links_are_taken_back_in_the_reverse_order(clinics):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "2")
    first.sync()
    second.sync()
    here, middle, other = person_here(first), first.here(one), second.here(two)
    goal = goal_here(first, other.reference)
    before = contents(*(read(first, each) for each in (here, middle, other, goal)))
    inner = first.bridge.people.link(middle.reference, other.reference, by="supervisor")
    outer = first.bridge.people.link(here.reference, middle.reference, by="supervisor")
    assert subjects(first) == {here.reference}
    with pytest.raises(Conflict, match="split that first"):
        split(first.bridge.people, inner, by="supervisor")
    since = {"maritalStatus": {"text": "married"}, "multipleBirthBoolean": True}
    for name, value in since.items():
        second.edit_there(two, **{name: value})
        assert second.sync().clean
    assert since.items() <= read(first, here).raw.items()
    split(first.bridge.people, outer, by="supervisor")
    assert not since.keys() & read(first, here).raw.keys()
    split(first.bridge.people, inner, by="supervisor")
    before[2] |= since
    assert alike(contents(*(read(first, each) for each in (here, middle, other, goal))), before)
    assert second.here(two).id == other.id
    holds_together(first)


def test_what_a_sync_brings_just_before_a_link_is_taken_back_goes_back_with_it(clinics, monkeypatch):
    first, second = clinics
    two = patient(second, "2")
    second.sync()
    here, other = person_here(first), second.here(two)
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    assert second.sync().clean
    quiet = People.quiet

    def late(self, remotes):
        monkeypatch.undo()
        second.edit_there(two, maritalStatus={"text": "married"})
        assert second.sync().clean
        return quiet(self, remotes)

    monkeypatch.setattr(People, "quiet", late)
    split(first.bridge.people, id, by="supervisor")
    assert "maritalStatus" not in read(first, here).raw
    assert read(first, other).raw["maritalStatus"] == {"text": "married"}
    holds_together(first)


def test_two_who_are_split_by_two_at_once_are_split_once(clinics, monkeypatch):
    first, _ = clinics
    here, other = person_here(first), person_here(first)
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")
    quiet = People.quiet

    def late(self, remotes):
        monkeypatch.undo()
        split(self, id, by="another")
        return quiet(self, remotes)

    monkeypatch.setattr(People, "quiet", late)
    with pytest.raises(Invalid, match="taken back already"):
        split(first.bridge.people, id, by="supervisor")
    assert first.bridge.people.unions.get(id)["split"]["by"] == "another"
    holds_together(first)


def test_a_split_that_was_interrupted_is_ended_by_the_same_call(clinics, monkeypatch):
    first, _ = clinics
    here, other = person_here(first), person_here(first)
    goals = [goal_here(first, other.reference) for _ in range(3)]
    id = first.bridge.people.link(here.reference, other.reference, by="supervisor")

    class Died(Exception):
        pass

    def dies(self, batch):
        raise Died

    monkeypatch.setattr("adapter.sync.people.people.People._commit", dies)
    with pytest.raises(Died):
        split(first.bridge.people, id, by="supervisor")
    monkeypatch.undo()
    split(first.bridge.people, id, by="supervisor")
    assert {read(first, goal).raw["subject"]["reference"] for goal in goals} == {other.reference}


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


def test_a_saved_plan_that_finds_somebody_known_keeps_the_link_so_that_it_can_be_taken_back(clinics, tmp_path):
    first, second = clinics
    one, two = patient(first, "1"), patient(second, "1", telecom=[{"system": "phone", "value": "1"}])
    first.sync()
    list(first.bridge.save("second", tmp_path / "plan"))
    saved = saved_plan(tmp_path / "plan")
    assert first.bridge.carry_out(saved).clean
    assert saved.left == []
    person = first.here(one)
    assert (person.id, person.raw["telecom"]) == (second.here(two).id, [{"system": "phone", "value": "1"}])
    [(id, union)] = first.bridge.people.unions.all()
    assert (union["survivor"], union["status"]) == (person.reference, "linked")
    split(first.bridge.people, id, by="supervisor")
    assert "telecom" not in read(first, person).raw
    assert second.here(two).reference == union["loser"]


def edits_first(world: World, monkeypatch: pytest.MonkeyPatch, stored: Stored, other: Stored, times: int) -> None:
    """Somebody writes the first just before each of so many commits about the two."""
    commit, left = Repository.commit, iter(range(times))

    def late(self: Repository, changes: Any, **options: Any) -> Any:
        if {stored.id, other.id} <= {change.id for change in changes} and (number := next(left, None)) is not None:
            now = read(world, stored)
            commit(self, [Change(now.type, now.id, {**now.raw, "language": f"x-{number}"}, now.version)])
        return commit(self, changes, **options)

    monkeypatch.setattr(Repository, "commit", late)


def test_two_of_whom_one_is_edited_while_they_are_linked_are_linked_all_the_same(clinics, monkeypatch):
    world, _ = clinics
    one, two = person_here(world), person_here(world)
    edits_first(world, monkeypatch, two, one, 2)
    world.bridge.people.link(one.reference, two.reference, by="supervisor")
    assert read(world, two).raw["active"] is False
    assert read(world, two).raw["language"] == "x-1"


def test_two_who_keep_changing_are_not_linked_and_that_is_said(clinics, monkeypatch):
    world, _ = clinics
    one, two = person_here(world), person_here(world)
    edits_first(world, monkeypatch, two, one, 100)
    with pytest.raises(VersionConflict, match="nothing was done, and the same command tries again"):
        world.bridge.people.link(one.reference, two.reference, by="supervisor")
    assert "active" not in read(world, two).raw


def test_a_merge_at_the_hospital_of_two_who_keep_changing_does_not_end_the_sync(clinics, monkeypatch):
    first, _ = clinics
    one, two = patient(first, "1"), patient(first, card="7", birthDate="1950")
    first.sync()
    survivor, loser = first.here(one), first.here(two)
    goal_here(first, loser.reference)
    first.sync()
    merge_there(first, one, two)
    with monkeypatch.context() as busy:
        edits_first(first, busy, loser, survivor, 100)
        assert first.sync().holds
    assert not first.bridge.people.unions.gave_way(loser.reference)
    assert first.sync().holds
    assert first.bridge.people.unions.gave_way(loser.reference)
