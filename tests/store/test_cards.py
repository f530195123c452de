"""What decides who may see a patient's record is written with what it follows from, and the past follows what came after."""

import pytest

from adapter.store import cards
from adapter.store.documents import Change
from adapter.store.index import WHOSE
from adapter.store.verify import verify

RIVER, ALMA = {"reference": "Patient/river"}, {"reference": "Patient/alma"}
COVERAGE = {"status": "active", "beneficiary": RIVER, "payor": [{"reference": "Organization/ins"}]}
SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
CONSENT = {"status": "active", "scope": SCOPE, "patient": RIVER, "provision": {"type": "permit", "period": {"start": "2025"}}}
KEY = "payor=Organization/ins"


def tied(repository, key=KEY):
    return set(cards.tied(repository.database, [key]))


def faults(repository, **more):
    """What verify finds, without what is only worth knowing."""
    return [each for each in verify(repository, **more) if not each.note]


def test_a_card_changes_with_its_resource(repository, save):
    save("Coverage", c=COVERAGE)
    assert tied(repository) == {"Patient/river"}
    save("Coverage", c={**COVERAGE, "beneficiary": ALMA})
    assert tied(repository) == {"Patient/alma"}
    save("Coverage", c={**COVERAGE, "status": "cancelled"})
    assert tied(repository) == set()
    save("Coverage", c=COVERAGE)
    repository.commit([Change("Coverage", "c", None, 4)])
    assert tied(repository) == set()
    assert not faults(repository)


def test_a_patient_s_cards_come_together(repository, save):
    save("Coverage", c=COVERAGE, d={**COVERAGE, "payor": [{"reference": "Organization/second"}]})
    save("Consent", k=CONSENT, old={**CONSENT, "status": "inactive"})
    save("CareTeam", t={"subject": RIVER, "participant": [{"member": {"reference": "Practitioner/noor"}}]})
    found = cards.of(repository.database, ["Patient/river", "Patient/alma"])
    assert {tie.key for tie in found["Patient/river"].ties} == {KEY, "payor=Organization/second", "member=Practitioner/noor"}
    assert [consent["rule"]["type"] for consent in found["Patient/river"].consents] == ["permit"]
    assert found["Patient/alma"] == cards.NONE


@pytest.mark.parametrize(("many", "known"), [(100, 0), (2, 0), (2, 1000)], ids=["of few", "of all", "of some of very many"])
def test_who_is_tied_comes_with_the_consents_however_these_are_read(repository, save, monkeypatch, many, known):
    people = [f"p{number}" for number in range(7)]
    about = {id: {"reference": f"Patient/{id}"} for id in people}
    role = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", "code": "IRCP"}]}
    names = {"type": "permit", "actor": [{"role": role, "reference": {"reference": "Organization/ins"}}]}
    save("Coverage", **{id: {**COVERAGE, "beneficiary": about[id]} for id in people[:5]})
    save("Consent", **{id: {**CONSENT, "patient": about[id], "provision": names if id == "p0" else CONSENT["provision"]} for id in people})
    for name, value in (("_MANY", many), ("_AT_ONCE", 2), ("_ALL", {repository.database.name: known})):
        monkeypatch.setattr(cards, name, value)
    found = cards.tied(repository.database, [KEY, "recipient=Organization/ins"])
    assert {id: ({tie.way for tie in card.ties}, len(card.consents)) for id, card in found.items()} == {
        f"Patient/{id}": ({"payor", "recipient"} if id == "p0" else {"payor"}, 1) for id in people[:5]
    }


@pytest.mark.parametrize(
    "write", [lambda cards: cards.delete_one({"_id": "Coverage/c"}), lambda cards: cards.update_one({}, {"$set": {"keys": []}})]
)
def test_verify_finds_a_card_that_does_not_follow_and_repairs_it(repository, save, write):
    save("Coverage", c=COVERAGE)
    write(repository.database[cards.CARDS])
    assert [(each.kind, each.resource) for each in faults(repository)] == [("index", "Coverage/c")]
    assert all(each.repaired for each in faults(repository, repair=True))
    assert not faults(repository)
    assert tied(repository) == {"Patient/river"}


def test_verify_finds_a_card_of_nothing(repository, save):
    save("Coverage", c=COVERAGE)
    repository.database[cards.CARDS].insert_one({"_id": "Coverage/gone", "patient": "Patient/alma", "keys": [KEY], "ties": []})
    assert [(each.kind, each.resource) for each in faults(repository)] == [("index", "Coverage/gone")]


def whose(repository, type, id):
    documents = repository.database["history"].find({"_id": {"$in": [f"{type}/{id}/{version}" for version in range(1, 9)]}})
    return [document["fhir"].get("index", {}).get(WHOSE, []) for document in sorted(documents, key=lambda each: each["_id"])]


def secret(code):
    return {"subject": RIVER, "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]}}


def test_the_past_is_as_sensitive_as_what_came_after_it(repository, save):
    for code in ("I10", "I11", "Z21", "I10"):
        save("Condition", c=secret(code))
    hiv, plain = ["Patient/river", "Patient/river|hiv"], ["Patient/river", "Patient/river|"]
    assert whose(repository, "Condition", "c") == [hiv] * 3
    assert repository.find("Condition", "c").whose == tuple(plain)
    repository.commit([Change("Condition", "c", None, 4)])
    assert whose(repository, "Condition", "c") == [hiv] * 3 + [plain]
    assert repository.find("Condition", "c").whose == tuple(plain)
    assert not faults(repository)


def test_what_becomes_another_patient_s_has_a_past_of_nobody_s(repository, save):
    save("Condition", c=secret("I10"))
    save("Condition", c={**secret("I10"), "subject": ALMA})
    save("Condition", c={**secret("I11"), "subject": ALMA})
    assert whose(repository, "Condition", "c") == [[], ["Patient/alma", "Patient/alma|"]]


def test_what_is_found_to_be_sensitive_when_it_is_indexed_anew_was_so_in_the_past(repository, save, monkeypatch):
    for text in ("I10", "I11", "I12"):
        save("Condition", c=secret(text))
    hiv, plain = ["Patient/river", "Patient/river|hiv"], ["Patient/river", "Patient/river|"]
    assert whose(repository, "Condition", "c") == [plain] * 2
    monkeypatch.setattr("adapter.access.whose.labels", lambda raw: {"hiv"})
    repository.reindex(repository.find("Condition", "c"))
    assert repository.find("Condition", "c").whose == tuple(hiv)
    assert whose(repository, "Condition", "c") == [hiv] * 2
