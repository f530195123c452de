"""`$meta`, `$meta-add` and `$meta-delete`."""

from concurrent.futures import ThreadPoolExecutor

from ..fhir import assert_outcome, patient

TAG = {"system": "https://hospital.example/tags", "code": "a"}
OTHER = {"system": "https://hospital.example/tags", "code": "b"}
PROFILE = "https://hospital.example/StructureDefinition/p"


def value(answer):
    assert answer.status_code == 200, answer.text
    [parameter] = answer.json["parameter"]
    assert parameter["name"] == "return"
    return parameter["valueMeta"]


def test_meta_is_what_a_read_shows(fhir):
    made = fhir.create(patient(meta={"tag": [TAG]}))
    assert value(fhir.send("GET", f"Patient/{made['id']}/$meta")) == made["meta"]


def test_adding_keeps_what_is_there_and_adds_an_equal_label_once(fhir, operations):
    id = fhir.create(patient(meta={"tag": [TAG]}))["id"]
    meta = {"tag": [{**TAG, "display": "again"}, OTHER], "profile": [PROFILE]}
    found = value(operations.ask(f"Patient/{id}/$meta-add", ("meta", "valueMeta", meta)))
    assert (found["tag"], found["profile"], found["versionId"]) == ([TAG, OTHER], [PROFILE], "2")
    assert fhir.ids(f"Patient?_tag={OTHER['code']}") == {id}
    assert fhir.send("GET", f"Patient/{id}").json["name"] == patient()["name"]


def test_adding_what_is_there_makes_no_version(fhir, operations):
    id = fhir.create(patient(meta={"tag": [TAG]}))["id"]
    assert value(operations.ask(f"Patient/{id}/$meta-add", ("meta", "valueMeta", {"tag": [TAG]})))["versionId"] == "1"


def test_deleting_takes_off_only_what_is_named(fhir, operations):
    id = fhir.create(patient(meta={"tag": [TAG, OTHER], "profile": [PROFILE]}))["id"]
    found = value(operations.ask(f"Patient/{id}/$meta-delete", ("meta", "valueMeta", {"tag": [TAG], "profile": [PROFILE]})))
    assert found["tag"] == [OTHER]
    assert "profile" not in found
    assert fhir.ids(f"Patient?_tag={TAG['code']}") == set()


def test_of_writers_that_add_at_once_none_is_lost(fhir, operations):
    id = fhir.create(patient())["id"]
    tags = [{"system": TAG["system"], "code": f"t{number}"} for number in range(8)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda tag: operations.ask(f"Patient/{id}/$meta-add", ("meta", "valueMeta", {"tag": [tag]})), tags))
    assert {answer.status_code for answer in answers} == {200}
    found = value(fhir.send("GET", f"Patient/{id}/$meta"))
    assert {tag["code"] for tag in found["tag"]} == {tag["code"] for tag in tags}


def test_what_is_not_there_or_deleted_has_no_meta(fhir):
    id = fhir.create(patient())["id"]
    fhir.send("DELETE", f"Patient/{id}")
    assert_outcome(fhir.send("GET", "Patient/none/$meta"), 404, "not-found")
    assert_outcome(fhir.send("GET", f"Patient/{id}/$meta"), 410, "deleted")
