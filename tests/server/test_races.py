"""Many writers at once, each on a thread of its own, against the real store."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from server import create_app

from .fhir import SYSTEM, Fhir, assert_outcome, entry, patient, transaction

WRITERS = 50


def at_once(number, work):
    """The results of `work(0)` to `work(number - 1)`, which start together."""
    gate = threading.Barrier(number)

    def run(turn):
        gate.wait()
        return work(turn)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


def test_fifty_conditional_creates_of_one_identifier_make_one_resource(fhir):
    answers = at_once(WRITERS, lambda turn: fhir.send("POST", "Patient", patient(), If_None_Exist=f"identifier={SYSTEM}|1"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: WRITERS - 1}
    assert len({answer.json["id"] for answer in answers}) == 1
    assert len(fhir.ids("Patient")) == 1


def test_fifty_transactions_with_one_condition_make_one_resource(fhir):
    bundle = transaction(
        entry("POST", "Patient", patient(), full_url="urn:uuid:1", ifNoneExist=f"identifier={SYSTEM}|1"),
        entry(
            "POST",
            "Flag",
            {"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": "urn:uuid:1"}},
        ),
    )
    answers = at_once(WRITERS // 2, lambda turn: fhir.send("POST", "", bundle))
    assert {answer.status_code for answer in answers} == {200}
    [id] = fhir.ids("Patient")
    assert len(fhir.ids(f"Flag?patient={id}&_count=10")) == WRITERS // 2


def test_a_condition_can_create_again_after_its_resource_is_gone_or_changed(fhir):
    criteria = f"identifier={SYSTEM}|1"
    first = fhir.create(patient(), If_None_Exist=criteria)["id"]
    fhir.send("DELETE", f"Patient/{first}")
    second = fhir.create(patient(), If_None_Exist=criteria)["id"]
    fhir.put({**patient("2"), "id": second})
    answers = at_once(10, lambda turn: fhir.send("POST", "Patient", patient(), If_None_Exist=criteria))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 9}
    assert len({first, second, answers[0].json["id"]}) == 3


def test_a_condition_written_in_another_order_is_the_same_condition(fhir):
    orders = [f"identifier={SYSTEM}|1&active=true", f"active=true&identifier={SYSTEM}|1"]
    answers = at_once(10, lambda turn: fhir.send("POST", "Patient", patient(active=True), If_None_Exist=orders[turn % 2]))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: 9}


def test_a_condition_that_selects_several_is_refused(fhir):
    fhir.create(patient())
    fhir.create(patient())
    assert_outcome(fhir.send("POST", "Patient", patient(), If_None_Exist=f"identifier={SYSTEM}|1"), 412, "multiple-matches")


@pytest.mark.parametrize("criteria", ["", "_count=1", "bird=Kanarifugl", "identifier="])
def test_a_condition_that_selects_nothing_in_particular_is_refused(fhir, criteria):
    assert_outcome(fhir.send("POST", "Patient", patient(), If_None_Exist=criteria), 400, "invalid")


def test_of_racing_updates_each_accepted_version_is_kept_and_the_rest_are_told(fhir):
    id = fhir.create(patient())["id"]
    answers = at_once(WRITERS, lambda turn: fhir.put({**patient(f"w{turn}"), "id": id}, If_Match='W/"1"'))
    assert Counter(answer.status_code for answer in answers) == {200: 1, 412: WRITERS - 1}
    history = fhir.send("GET", f"Patient/{id}/_history").json["entry"]
    assert [item["resource"]["meta"]["versionId"] for item in history] == ["2", "1"]


def test_fifty_conditional_creates_of_ten_identifiers_make_ten_resources(fhir):
    answers = at_once(
        WRITERS, lambda turn: fhir.send("POST", "Patient", patient(f"{turn % 10}"), If_None_Exist=f"identifier={SYSTEM}|{turn % 10}")
    )
    assert Counter(answer.status_code for answer in answers) == {201: 10, 200: WRITERS - 10}
    assert fhir.ids("Patient") == {answer.json["id"] for answer in answers}
    assert len(fhir.ids("Patient")) == 10


def test_fifty_conditional_updates_of_one_identifier_make_one_resource_with_all_their_versions(fhir):
    answers = at_once(WRITERS, lambda turn: fhir.send("PUT", f"Patient?identifier={SYSTEM}|1", patient(multipleBirthInteger=turn)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 200: WRITERS - 1}
    [id] = fhir.ids("Patient")
    history = fhir.send("GET", f"Patient/{id}/_history?_count=100").json["entry"]
    assert sorted(item["resource"]["multipleBirthInteger"] for item in history) == [*range(WRITERS)]


def test_fifty_readers_who_update_what_they_read_lose_nothing(fhir):
    id = fhir.create(patient())["id"]

    def change(turn):
        etag = fhir.send("GET", f"Patient/{id}").headers["ETag"]
        answer = fhir.put({**patient(), "id": id, "multipleBirthInteger": turn}, If_Match=etag)
        return turn, answer.status_code

    answers = at_once(WRITERS, change)
    assert {status for _, status in answers} <= {200, 412}
    accepted = {turn for turn, status in answers if status == 200}
    history = fhir.send("GET", f"Patient/{id}/_history?_count=100").json["entry"]
    assert {item["resource"]["multipleBirthInteger"] for item in history[:-1]} == accepted
    assert [item["resource"]["meta"]["versionId"] for item in history] == [str(n) for n in range(len(accepted) + 1, 0, -1)]


def test_racing_patches_are_all_there_at_the_end(fhir):
    id = fhir.create(patient())["id"]
    add = [{"op": "add", "path": "/name/-", "value": {"family": "Kanarifugl"}}]
    answers = at_once(10, lambda turn: fhir.send("PATCH", f"Patient/{id}", add, Content_Type="application/json-patch+json"))
    assert {answer.status_code for answer in answers} == {200}
    assert len(fhir.send("GET", f"Patient/{id}").json["name"]) == 11


def test_of_racing_conditional_deletions_one_deletes(fhir):
    id = fhir.create(patient())["id"]
    answers = at_once(10, lambda turn: fhir.send("DELETE", f"Patient?identifier={SYSTEM}|1"))
    assert {answer.status_code for answer in answers} == {204}
    assert len(fhir.send("GET", f"Patient/{id}/_history").json["entry"]) == 2


def test_racing_updates_without_a_version_all_succeed_one_after_the_other(fhir):
    id = fhir.create(patient())["id"]
    answers = at_once(10, lambda turn: fhir.put({**patient(f"w{turn}"), "id": id}))
    assert {answer.status_code for answer in answers} == {200}
    history = fhir.send("GET", f"Patient/{id}/_history").json["entry"]
    assert {item["resource"]["identifier"][0]["value"] for item in history} == {"1", *(f"w{turn}" for turn in range(10))}


def test_of_racing_updates_that_want_to_be_the_first_one_is(fhir):
    answers = at_once(20, lambda turn: fhir.put(patient(f"w{turn}", id="p"), If_None_Match="*"))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 412: 19}
    assert len(fhir.send("GET", "Patient/p/_history").json["entry"]) == 1


@pytest.mark.parametrize("turns", range(15))
def test_what_is_deleted_while_others_refer_to_it_is_referred_to_by_nothing(repository, turns):
    fhir = Fhir(create_app(repository, integrity=True).test_client())
    fhir.put(patient(id="p"))
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": "Patient/p"}}
    if turns % 2:
        # The type is stored already, as it mostly is.
        fhir.send("DELETE", f"Flag/{fhir.create(flag)['id']}")

    def work(turn):
        return fhir.send("DELETE", "Patient/p") if turn == turns % 4 else fhir.send("POST", "Flag", flag)

    answers = at_once(4, work)
    statuses = Counter(answer.status_code for answer in answers)
    gone = fhir.send("GET", "Patient/p").status_code == 410
    assert statuses == ({204: 1, 422: 3} if gone else {409: 1, 201: 3})
    assert len(fhir.ids("Flag")) == (0 if gone else 3)


def test_racing_references_to_one_resource_are_all_kept(repository):
    fhir = Fhir(create_app(repository, integrity=True).test_client())
    fhir.put(patient(id="p"))
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "Kanarifugl"}, "subject": {"reference": "Patient/p"}}
    answers = at_once(20, lambda turn: fhir.send("POST", "Flag", flag))
    assert Counter(answer.status_code for answer in answers) == {201: 20}
