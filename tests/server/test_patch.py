"""JSON Patch (RFC 6902), JSON Merge Patch (RFC 7396) and FHIRPath Patch: http://hl7.org/fhir/R4/http.html#patch"""

import base64
import json

import pytest

from .fhir import assert_outcome, entry, patient, transaction

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
PATIENT = {
    "resourceType": "Patient",
    "id": "p",
    "identifier": [{"system": "a", "value": "1"}, {"system": "b", "value": "2"}],
    "name": [{"use": "official", "family": "Kanarifugl", "given": ["River", "Ana"]}, {"use": "nickname", "given": ["Riv"]}],
    "telecom": [{"system": "phone", "value": "1", "rank": 1}, {"system": "email", "value": "2"}],
    "gender": "female",
    "birthDate": "1994-05",
    "_birthDate": {"extension": [{"url": "https://hospital.example/x", "valueBoolean": True}]},
    "contact": [{"name": {"family": "Kanarifugl"}, "gender": "male"}],
}


@pytest.fixture
def json_patch(fhir):
    """Patches PATIENT by JSON Patch; the answer."""
    fhir.put(PATIENT)
    return lambda *operations: fhir.send("PATCH", "Patient/p", list(operations), Content_Type=JSON_PATCH)


@pytest.fixture
def fhirpath_patch(fhir):
    """Patches PATIENT by FHIRPath Patch; the answer."""
    fhir.put(PATIENT)
    return lambda *operations: fhir.send("PATCH", "Patient/p", parameters(*operations))


def parameters(*operations):
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": operation} for operation in operations]}


def operation(type, path, **parts):
    named = [{"name": name, **(value if isinstance(value, dict) else {"valueInteger": value})} for name, value in parts.items()]
    return [{"name": "type", "valueCode": type}, {"name": "path", "valueString": path}, *named]


def named(name):
    return {"valueString": name}


def at(raw, *path):
    for step in path:
        raw = raw[step]
    return raw


@pytest.mark.parametrize(
    ("operations", "path", "value"),
    [
        ([{"op": "replace", "path": "/gender", "value": "other"}], ["gender"], "other"),
        ([{"op": "add", "path": "/name/0/given/1", "value": "Bo"}], ["name", 0, "given"], ["River", "Bo", "Ana"]),
        ([{"op": "add", "path": "/name/0/given/-", "value": "Bo"}], ["name", 0, "given"], ["River", "Ana", "Bo"]),
        ([{"op": "remove", "path": "/name/1"}], ["name", -1, "family"], "Kanarifugl"),
        ([{"op": "move", "from": "/name/0/given/0", "path": "/name/0/given/1"}], ["name", 0, "given"], ["Ana", "River"]),
        ([{"op": "copy", "from": "/name/0/family", "path": "/name/1/family"}], ["name", 1, "family"], "Kanarifugl"),
        ([{"op": "test", "path": "/telecom/0/rank", "value": 1.0}, {"op": "add", "path": "/active", "value": False}], ["active"], False),
        ([{"op": "move", "from": "/gender", "path": "/gender"}], ["gender"], "female"),
        (
            [{"op": "add", "path": "/extension", "value": [{"url": "https://h.example/a~b", "valueCode": "x"}]}],
            ["extension", 0, "url"],
            "https://h.example/a~b",
        ),
    ],
)
def test_a_json_patch_changes_what_it_names(json_patch, operations, path, value):
    answer = json_patch(*operations)
    assert answer.status_code == 200, answer.text
    assert at(answer.json, *path) == value
    assert answer.json["meta"]["versionId"] in ("1", "2")


@pytest.mark.parametrize(
    ("operation", "status", "code"),
    [
        ({"op": "test", "path": "/gender", "value": "male"}, 422, "processing"),
        ({"op": "test", "path": "/telecom/0/rank", "value": True}, 422, "processing"),
        ({"op": "remove", "path": "/active"}, 422, "processing"),
        ({"op": "replace", "path": "/name/2", "value": {}}, 422, "processing"),
        ({"op": "replace", "path": "/name/01", "value": {}}, 422, "processing"),
        ({"op": "add", "path": "/name/3", "value": {}}, 422, "processing"),
        ({"op": "add", "path": "/gender/x", "value": "a"}, 422, "processing"),
        ({"op": "move", "from": "/name", "path": "/name/0/given"}, 422, "processing"),
        ({"op": "remove", "path": ""}, 422, "processing"),
        ({"op": "replace", "path": "", "value": 1}, 422, "processing"),
        ({"op": "replace", "path": "", "value": {}}, 400, "invalid"),
        ({"op": "replace", "path": "/id", "value": "q"}, 400, "invalid"),
        ({"op": "replace", "path": "/resourceType", "value": "Group"}, 400, "invalid"),
        ({"op": "replace", "path": "/birthDate", "value": "Kanarifugl"}, 400, "invalid"),
        ({"op": "add", "path": "/bird", "value": "Kanarifugl"}, 400, "invalid"),
        ({"op": "frobnicate", "path": "/gender"}, 400, "invalid"),
        ({"op": "add", "path": "gender", "value": "male"}, 400, "invalid"),
        ({"op": "add", "path": "/gender"}, 400, "invalid"),
        ({"op": "move", "path": "/gender"}, 400, "invalid"),
        ({"op": ["add"], "path": "/gender"}, 400, "invalid"),
        ("Kanarifugl", 400, "invalid"),
    ],
)
def test_a_json_patch_that_does_not_fit_is_refused_and_changes_nothing(fhir, json_patch, operation, status, code):
    before = {"op": "replace", "path": "/gender", "value": "other"} if status == 422 and operation.get("op") != "test" else None
    assert_outcome(json_patch(*filter(None, [before, operation])), status, code)
    assert fhir.send("GET", "Patient/p").json["gender"] == "female"


def test_a_json_patch_that_nests_deeper_than_can_be_walked_is_refused_and_what_stands_beside_it_is_done(fhir):
    fhir.put(PATIENT)
    # Each doubles how deep the names are.
    doubled = [{"op": "copy", "from": "/contact/0", "path": "/contact/0" + "/name" * 2**times} for times in range(12)]
    data = base64.b64encode(json.dumps(doubled).encode()).decode()
    patch = entry("PATCH", "Patient/p", {"resourceType": "Binary", "contentType": JSON_PATCH, "data": data})
    answer = fhir.send("POST", "", transaction(patch, entry("POST", "Patient", patient()), type="batch"))
    assert [each["response"]["status"][:3] for each in answer.json["entry"]] == ["400", "201"]
    assert fhir.send("GET", "Patient/p").headers["ETag"] == 'W/"1"'


def test_a_json_patch_keeps_decimals_as_they_are_written(fhir):
    text = '{"resourceType":"Observation","id":"o","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.50,"unit":"kg"}}'
    fhir.send("PUT", "Observation/o", text)
    patch = (
        '[{"op":"test","path":"/valueQuantity/value","value":1.5},{"op":"add","path":"/referenceRange","value":[{"low":{"value":0.10}}]}]'
    )
    answer = fhir.send("PATCH", "Observation/o", patch, Content_Type=JSON_PATCH)
    assert '"value":1.50' in answer.text
    assert '"value":0.10' in answer.text


def test_a_patch_that_changes_nothing_makes_no_version(json_patch):
    assert json_patch().headers["ETag"] == 'W/"1"'


def test_a_patch_needs_a_resource_that_is_there(fhir):
    assert_outcome(fhir.send("PATCH", "Patient/p", [], Content_Type=JSON_PATCH), 404, "not-found")
    fhir.put(PATIENT)
    fhir.send("DELETE", "Patient/p")
    assert_outcome(fhir.send("PATCH", "Patient/p", [], Content_Type=JSON_PATCH), 410, "deleted")


def test_a_copy_cannot_be_doubled_until_the_memory_is_full(json_patch):
    double = {"op": "copy", "from": "/name", "path": "/name/-"}
    assert_outcome(json_patch(*[double] * 100), 422, "processing")
    assert_outcome(json_patch(*[double] * 1001), 400, "invalid")


@pytest.mark.parametrize("kind", [MERGE_PATCH, "application/json"])
@pytest.mark.parametrize(
    ("patch", "changed"),
    [
        ({"gender": "other"}, {"gender": "other"}),
        ({"telecom": [{"system": "phone", "value": "3"}]}, {"telecom": [{"system": "phone", "value": "3"}]}),
        ({"birthDate": None, "_birthDate": None}, {"birthDate": None, "_birthDate": None}),
        ({"maritalStatus": {"text": "x", "coding": None}}, {"maritalStatus": {"text": "x"}}),
        ({"_birthDate": {"id": "b"}}, {"_birthDate": {**PATIENT["_birthDate"], "id": "b"}}),
        ({"resourceType": "Patient", "id": "p", "active": True}, {"active": True}),
        ({}, {}),
    ],
)
def test_a_merge_patch_says_what_elements_are_to_be(fhir, patch, changed, kind):
    fhir.put(PATIENT)
    answer = fhir.send("PATCH", "Patient/p", patch, Content_Type=kind)
    assert answer.status_code == 200, answer.text
    wanted = {name: value for name, value in {**PATIENT, **changed}.items() if value is not None}
    assert {name: value for name, value in answer.json.items() if name != "meta"} == wanted


@pytest.mark.parametrize(
    "patch",
    [[], "Kanarifugl", {"id": "q"}, {"id": None}, {"resourceType": "Group"}, {"bird": "Kanarifugl"}, {"birthDate": "Kanarifugl"}],
)
def test_a_merge_patch_that_does_not_fit_is_refused_and_changes_nothing(fhir, patch):
    fhir.put(PATIENT)
    assert_outcome(fhir.send("PATCH", "Patient/p", patch, Content_Type=MERGE_PATCH), 400, "invalid")
    assert fhir.send("GET", "Patient/p").headers["ETag"] == 'W/"1"'


def test_a_merge_patch_in_a_transaction_is_in_a_binary(fhir):
    fhir.put(PATIENT)
    binary = {"resourceType": "Binary", "contentType": MERGE_PATCH, "data": base64.b64encode(b'{"gender": "other"}').decode()}
    assert fhir.send("POST", "", transaction(entry("PATCH", "Patient/p", binary))).status_code == 200
    assert fhir.send("GET", "Patient/p").json["gender"] == "other"


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    [
        (operation("add", "Patient", name=named("active"), value={"valueBoolean": True}), ["active"], True),
        (operation("add", "Patient", name=named("deceased"), value={"valueDateTime": "2025-01"}), ["deceasedDateTime"], "2025-01"),
        (
            operation("add", "Patient.name[0]", name=named("given"), value={"valueString": "Bo"}),
            ["name", 0, "given"],
            ["River", "Ana", "Bo"],
        ),
        (
            operation("add", "Patient", name=named("identifier"), value={"valueIdentifier": {"value": "3"}}),
            ["identifier", 2],
            {"value": "3"},
        ),
        (
            operation(
                "add",
                "Patient",
                name=named("contact"),
                value={
                    "part": [
                        {"name": "name", "valueHumanName": {"text": "Kanarifugl"}},
                        {"name": "telecom", "valueContactPoint": {"system": "phone"}},
                        {"name": "telecom", "valueContactPoint": {"system": "email"}},
                    ]
                },
            ),
            ["contact", 1],
            {"name": {"text": "Kanarifugl"}, "telecom": [{"system": "phone"}, {"system": "email"}]},
        ),
        (operation("insert", "Patient.name[0].given", index=1, value={"valueString": "Bo"}), ["name", 0, "given"], ["River", "Bo", "Ana"]),
        (operation("insert", "Patient.name[0].given", index=2, value={"valueString": "Bo"}), ["name", 0, "given"], ["River", "Ana", "Bo"]),
        (operation("replace", "Patient.gender", value={"valueCode": "other"}), ["gender"], "other"),
        (operation("replace", "gender", value={"valueCode": "other"}), ["gender"], "other"),
        (
            operation("replace", "Patient.telecom.where(system = 'email').value", value={"valueString": "3"}),
            ["telecom", 1],
            {"system": "email", "value": "3"},
        ),
        (
            operation("replace", "Patient.name.where(use='official' and given.exists()).given[0]", value={"valueString": "Bo"}),
            ["name", 0, "given"],
            ["Bo", "Ana"],
        ),
        (
            operation(
                "replace", "Patient.name.where(use='x' or (family.empty().not() and use != 'y')).given.last()", value={"valueString": "Bo"}
            ),
            ["name", 0, "given"],
            ["River", "Bo"],
        ),
        (operation("delete", "Patient.identifier.where(value='1')"), ["identifier"], [{"system": "b", "value": "2"}]),
        (operation("delete", "Patient.identifier[7]"), ["gender"], "female"),
        (operation("delete", "Patient.telecom.where(rank = 1).rank"), ["telecom", 0], {"system": "phone", "value": "1"}),
        (operation("delete", "Patient.contact.name.family"), ["contact", 0], {"gender": "male"}),
        (operation("move", "Patient.name[0].given", source=0, destination=1), ["name", 0, "given"], ["Ana", "River"]),
    ],
)
def test_a_fhirpath_patch_changes_what_it_names(fhirpath_patch, operation, path, value):
    answer = fhirpath_patch(operation)
    assert answer.status_code == 200, answer.text
    assert at(answer.json, *path) == value


@pytest.mark.parametrize(
    ("operation", "status"),
    [
        (operation("add", "Patient", name=named("gender"), value={"valueCode": "other"}), 422),
        (operation("add", "Patient.name", name=named("text"), value={"valueString": "x"}), 422),
        (operation("add", "Patient.gender", name=named("x"), value={"valueString": "x"}), 422),
        (operation("replace", "Patient.active", value={"valueBoolean": True}), 422),
        (operation("replace", "Patient.name.given", value={"valueString": "x"}), 422),
        (operation("replace", "Patient", value={"valueString": "x"}), 422),
        (operation("delete", "Patient.name"), 422),
        (operation("delete", "Patient"), 422),
        (operation("insert", "Patient.identifier", index=3, value={"valueIdentifier": {}}), 422),
        (operation("move", "Patient.identifier", source=0, destination=2), 422),
        (operation("insert", "Patient.gender", index=0, value={"valueCode": "other"}), 400),
        (operation("insert", "Patient.identifier[0]", index=0, value={"valueIdentifier": {}}), 400),
        (operation("insert", "Patient.identifier", index=-1, value={"valueIdentifier": {}}), 400),
        (operation("add", "Patient", name=named("bird"), value={"valueString": "Kanarifugl"}), 400),
        (operation("add", "Patient", name=named("deceased"), value={"valueString": "Kanarifugl"}), 400),
        (operation("add", "Patient", name=named("active")), 400),
        (operation("add", "Patient", value={"valueString": "x"}), 400),
        (operation("replace", "Patient.bird", value={"valueString": "Kanarifugl"}), 400),
        (operation("replace", "Patient.id", value={"valueId": "q"}), 400),
        (operation("replace", "Patient.birthDate", value={"valueString": "Kanarifugl"}), 400),
        (operation("replace", "Observation.status", value={"valueCode": "final"}), 400),
        (operation("replace", "Patient.managingOrganization.resolve().name", value={"valueString": "x"}), 400),
        (operation("replace", "Patient.gender = 'female'", value={"valueString": "x"}), 400),
        (operation("replace", "Patient..gender", value={"valueString": "x"}), 400),
        (operation("replace", "Patient.name[x]", value={"valueString": "x"}), 400),
        (operation("replace", "Patient.name.where(" + "(" * 50 + "use" + ")" * 51, value={"valueString": "x"}), 400),
        (operation("replace", "Patient." + "x" * 1000, value={"valueString": "x"}), 400),
        (operation("replace", "Patient.name.where()", value={"valueString": "x"}), 400),
        (operation("replace", "Patient.name.first(1)", value={"valueString": "x"}), 400),
        (operation("frobnicate", "Patient.name"), 400),
        (operation("delete", ""), 400),
    ],
)
def test_a_fhirpath_patch_that_does_not_fit_is_refused_and_changes_nothing(fhir, fhirpath_patch, operation, status):
    assert_outcome(fhirpath_patch(operation), status, {400: "invalid", 422: "processing"}[status])
    assert fhir.send("GET", "Patient/p").headers["ETag"] == 'W/"1"'


def test_a_replaced_primitive_loses_what_was_said_beside_it(fhirpath_patch):
    answer = fhirpath_patch(operation("replace", "Patient.birthDate", value={"valueDate": "1994-05-06"}))
    assert answer.json["birthDate"] == "1994-05-06"
    assert "_birthDate" not in answer.json


def test_a_choice_is_found_by_its_bare_name_and_may_change_its_type(fhir):
    fhir.put(
        {
            "resourceType": "Observation",
            "id": "o",
            "status": "final",
            "code": {"text": "Kanarifugl"},
            "valueQuantity": {"value": 1, "unit": "kg"},
            "extension": [{"url": "https://h.example/a", "valueString": "b"}, {"url": "https://h.example/c", "valueString": "d"}],
        }
    )
    first = operation("replace", "Observation.value.ofType(Quantity).unit", value={"valueString": "g"})
    assert fhir.send("PATCH", "Observation/o", parameters(first)).json["valueQuantity"] == {"value": 1, "unit": "g"}
    second = operation("replace", "Observation.value", value={"valueString": "x"})
    third = operation("replace", "Observation.extension('https://h.example/c').value", value={"valueCode": "e"})
    got = fhir.send("PATCH", "Observation/o", parameters(second, third)).json
    assert got["valueString"] == "x"
    assert "valueQuantity" not in got
    assert got["extension"][1] == {"url": "https://h.example/c", "valueCode": "e"}


def test_operations_are_done_one_after_the_other(fhirpath_patch):
    answer = fhirpath_patch(
        operation("delete", "Patient.name[0]"), operation("replace", "Patient.name[0].use", value={"valueCode": "usual"})
    )
    assert answer.json["name"] == [{"use": "usual", "given": ["Riv"]}]


@pytest.mark.parametrize(
    "body",
    [
        patient(),
        {"resourceType": "Parameters", "parameter": "Kanarifugl"},
        {"resourceType": "Parameters", "parameter": [{"name": "other"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": ["Kanarifugl"]}]},
        {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": [{"name": "type", "valueCode": "delete"}]}]},
        {"resourceType": "Binary", "contentType": JSON_PATCH, "data": "W10="},
    ],
)
def test_what_is_no_patch_is_refused(fhir, body):
    fhir.put(PATIENT)
    assert_outcome(fhir.send("PATCH", "Patient/p", body), 400, "invalid")


def test_a_type_whose_elements_are_not_known_is_patched_by_json_patch_only(fhir):
    fhir.put({"resourceType": "SubstancePolymer", "id": "s"})
    assert_outcome(fhir.send("PATCH", "SubstancePolymer/s", parameters(operation("delete", "SubstancePolymer.geometry"))), 400, "invalid")
    assert (
        fhir.send("PATCH", "SubstancePolymer/s", [{"op": "add", "path": "/language", "value": "en"}], Content_Type=JSON_PATCH).status_code
        == 200
    )
