"""Conditional create, update, patch and delete: http://hl7.org/fhir/R4/http.html#cond-update"""

import pytest

from .fhir import SYSTEM, assert_outcome, patient

ONE = f"Patient?identifier={SYSTEM}|1"
JSON_PATCH = "application/json-patch+json"
MALE = [{"op": "add", "path": "/gender", "value": "male"}]


def test_a_create_may_have_its_condition_in_the_url(fhir):
    made = fhir.send("POST", ONE, patient())
    found = fhir.send("POST", ONE, patient(gender="male"))
    assert (made.status_code, found.status_code) == (201, 200)
    assert found.json == made.json
    fhir.create(patient())
    assert_outcome(fhir.send("POST", ONE, patient()), 412, "multiple-matches")


@pytest.mark.parametrize("form", ["identifier={0}|1", "?identifier={0}|1", "Patient?identifier={0}|1", "http://localhost/fhir/{1}"])
def test_if_none_exist_may_be_a_whole_url(fhir, form):
    made = fhir.create(patient(), If_None_Exist=form.format(SYSTEM, ONE))
    assert fhir.create(patient(), If_None_Exist=form.format(SYSTEM, ONE)) == made


def test_a_question_mark_in_a_value_is_part_of_it(fhir):
    first, second = ({"resourceType": "ValueSet", "status": "active", "url": f"https://h.example/{name}?x"} for name in ("a", "b"))
    fhir.create(first, If_None_Exist=f"url={first['url']}")
    assert fhir.create(second, If_None_Exist=f"url={second['url']}")["url"] == second["url"]


def test_if_none_exist_of_another_type_is_refused(fhir):
    assert_outcome(fhir.send("POST", "Patient", patient(), If_None_Exist="Group?identifier=1"), 400, "invalid")


def test_a_create_has_one_condition(fhir):
    assert_outcome(fhir.send("POST", ONE, patient(), If_None_Exist=f"identifier={SYSTEM}|1"), 400, "invalid")
    assert_outcome(fhir.send("POST", "Patient?_count=1", patient()), 400, "invalid")


def test_an_update_of_what_is_not_there_creates(fhir):
    answer = fhir.send("PUT", ONE, patient())
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/Patient/{answer.json['id']}/_history/1")


def test_an_update_of_what_is_not_there_creates_under_the_id_it_brings(fhir):
    assert fhir.send("PUT", ONE, patient(id="mine")).status_code == 201
    assert fhir.ids(ONE) == {"mine"}


def test_an_update_may_not_take_the_id_of_what_its_condition_does_not_select(fhir):
    fhir.put({**patient("2"), "id": "taken"})
    assert_outcome(fhir.send("PUT", ONE, patient(id="taken")), 409, "conflict")


def test_an_update_of_one_match_makes_a_version_of_it(fhir):
    id = fhir.create(patient())["id"]
    for more in ({}, {"id": id}):
        answer = fhir.send("PUT", ONE, patient(gender="male", **more))
        assert (answer.status_code, answer.json["id"], answer.headers["ETag"]) == (200, id, 'W/"2"')


def test_an_update_with_another_id_than_that_of_the_match_is_refused(fhir):
    fhir.create(patient())
    assert_outcome(fhir.send("PUT", ONE, patient(id="other")), 400, "invalid")


@pytest.mark.parametrize("id", ["p_q", 7, ""])
def test_an_update_that_creates_needs_an_id_of_r4s_form(fhir, id):
    assert_outcome(fhir.send("PUT", ONE, patient(id=id)), 400, "invalid")


@pytest.mark.parametrize(
    ("method", "body", "kind"), [("PUT", patient(), "application/fhir+json"), ("PATCH", MALE, JSON_PATCH), ("DELETE", None, "")]
)
def test_several_matches_are_refused_and_nothing_is_done(fhir, method, body, kind):
    fhir.create(patient())
    fhir.create(patient())
    assert_outcome(fhir.send(method, ONE, body, Content_Type=kind), 412, "multiple-matches")
    assert len(fhir.ids(ONE)) == 2


@pytest.mark.parametrize(
    ("method", "body", "kind"), [("PUT", patient(), "application/fhir+json"), ("PATCH", MALE, JSON_PATCH), ("DELETE", None, "")]
)
def test_if_match_is_about_what_is_selected(fhir, method, body, kind):
    fhir.create(patient())
    assert_outcome(fhir.send(method, ONE, body, Content_Type=kind, If_Match='W/"2"'), 412, "conflict")
    assert fhir.send(method, ONE, body, Content_Type=kind, If_Match='W/"1"').status_code in (200, 204)


def test_a_patch_changes_the_one_match(fhir):
    id = fhir.create(patient())["id"]
    assert fhir.send("PATCH", ONE, MALE, Content_Type=JSON_PATCH).json["gender"] == "male"
    assert fhir.send("GET", f"Patient/{id}").headers["ETag"] == 'W/"2"'
    assert_outcome(fhir.send("PATCH", f"Patient?identifier={SYSTEM}|2", MALE, Content_Type=JSON_PATCH), 404, "not-found")


def test_a_deletion_deletes_the_one_match_or_nothing(fhir):
    id = fhir.create(patient())["id"]
    assert fhir.send("DELETE", ONE).status_code == 204
    assert fhir.send("GET", f"Patient/{id}").status_code == 410
    assert fhir.send("DELETE", ONE).status_code == 204
    told = fhir.send("DELETE", ONE, Prefer="return=OperationOutcome")
    assert (told.status_code, told.json["resourceType"]) == (200, "OperationOutcome")


def test_a_condition_may_be_a_chain(fhir):
    person = fhir.create(patient())["id"]
    plan = {"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": f"Patient/{person}"}}
    first = fhir.send("PUT", f"CarePlan?patient.identifier={SYSTEM}|1", plan)
    second = fhir.send("PUT", f"CarePlan?patient.identifier={SYSTEM}|1", {**plan, "status": "completed"})
    assert (first.status_code, second.status_code, second.json["id"]) == (201, 200, first.json["id"])
