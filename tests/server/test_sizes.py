"""How deep, how much and how laboriously one request may ask, and that what is beyond is refused before it is tried."""

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import Invalid, TooCostly
from server.fhir import fhirpath, sizes
from server.fhir.sizes import DEPTH_AT_MOST, ENTRIES_AT_MOST, TEXT_AT_MOST, Effort, check_depth, pairs

from .fhir import assert_outcome, entry, fuzzed, patient, transaction

FORM = "application/x-www-form-urlencoded"
CPU_SECONDS = 5.0
"""Of this process, for what is refused: it takes some tenths of one; what it guards against takes minutes and more."""


def nested(levels, leaf="Kanarifugl"):
    """A value in so many objects and lists, by turns."""
    value = leaf
    for level in range(levels):
        value = [value] if level % 2 else {"extension": value}
    return value


def test_nesting_is_counted_in_objects_and_lists():
    for value in (5, "x", None, [], {}, nested(DEPTH_AT_MOST)):
        check_depth(value)
    with pytest.raises(Invalid):
        check_depth(nested(DEPTH_AT_MOST + 1))


@given(
    st.recursive(st.none() | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3))
)
@fuzzed(100)
def test_nesting_is_that_of_the_deepest(value):
    def depth(each):
        inside = each.values() if isinstance(each, dict) else each if isinstance(each, list) else None
        return 0 if inside is None else 1 + max(map(depth, inside), default=0)

    deep = nested(DEPTH_AT_MOST - depth(value), value)
    check_depth(deep)
    with pytest.raises(Invalid):
        check_depth({"a": 1, "b": [deep]} if isinstance(deep, dict) else [[deep], 1])


def questions(levels):
    """A questionnaire of groups in each other."""
    item = {"linkId": "last", "type": "string"}
    for number in range(levels):
        item = {"linkId": str(number), "type": "group", "item": [item]}
    return {"resourceType": "Questionnaire", "status": "draft", "item": [item]}


def test_a_resource_that_is_nested_as_deep_as_is_read_is_kept_and_told(fhir):
    made = fhir.create(questions(DEPTH_AT_MOST // 2 - 2))
    assert fhir.send("GET", f"Questionnaire/{made['id']}?_pretty=true").json == made


@pytest.mark.parametrize("levels", [DEPTH_AT_MOST // 2, 300, 5000])
def test_what_is_nested_deeper_is_refused_by_whatever_door(fhir, levels):
    id = fhir.create(patient())["id"]
    inside = '[{"extension":' * levels + "[]" + "}]" * levels
    deep = f'{{"resourceType":"Patient","id":"{id}","extension":{inside}}}'
    patch = f'[{{"op":"add","path":"/contact","value":{"[" * levels * 2}{"]" * levels * 2}}}]'
    in_binary = {"resourceType": "Binary", "contentType": "application/json-patch+json", "data": base64.b64encode(patch.encode()).decode()}
    for answer in (
        fhir.send("POST", "Patient", deep),
        fhir.send("PUT", f"Patient/{id}", deep),
        fhir.send("POST", "", f'{{"resourceType":"Bundle","type":"batch","entry":[{{"resource":{deep}}}]}}'),
        fhir.send("POST", "Patient/$validate", deep),
        fhir.send("PATCH", f"Patient/{id}", patch, Content_Type="application/json-patch+json"),
        fhir.send("PATCH", f"Patient/{id}", deep, Content_Type="application/merge-patch+json"),
        fhir.send("PATCH", f"Patient/{id}", deep.replace("resourceType", "x"), Content_Type="application/json"),
        fhir.send("POST", "", transaction(entry("PATCH", f"Patient/{id}", in_binary))),
    ):
        issue = assert_outcome(answer, 400, "invalid")
        assert "deep" in issue["diagnostics"] or "JSON" in issue["diagnostics"]
    answer = fhir.client.post("/api/clients", data=deep, content_type="application/json", headers={"Casebridge-Actor": "Practitioner/x"})
    assert (answer.status_code, answer.json["code"]) == (400, "invalid")
    assert fhir.send("GET", f"Patient/{id}").json["meta"]["versionId"] == "1"


def test_a_patch_may_not_build_what_could_not_be_sent(fhir):
    id = fhir.create(patient())["id"]
    grow = [{"op": "add", "path": "/extension", "value": [{"url": "urn:x", "extension": []}]}]
    grow += [{"op": "copy", "from": "/extension", "path": f"/extension{'/0/extension' * 2**step}"} for step in range(7)]
    issue = assert_outcome(fhir.send("PATCH", f"Patient/{id}", grow, Content_Type="application/json-patch+json"), 400, "invalid")
    assert f"{DEPTH_AT_MOST} levels are read" in issue["diagnostics"]


def test_a_bundle_has_so_many_entries_at_most(fhir, monkeypatch):
    assert ENTRIES_AT_MOST == 10_000
    monkeypatch.setattr(sizes, "ENTRIES_AT_MOST", 3)
    for kind in ("batch", "transaction"):
        assert fhir.send("POST", "", transaction(*[entry("GET", "Patient")] * 3, type=kind)).status_code == 200
        issue = assert_outcome(fhir.send("POST", "", transaction(*[entry("GET", "Patient")] * 4, type=kind)), 413, "too-long")
        assert issue["expression"] == ["Bundle.entry"]


def test_a_form_is_not_read_that_is_longer_than_a_search_may_be(fhir):
    before = time.process_time()
    many, long = "a&" * 3_000_000, "name=" + "%61" * 3_000_000
    for text in (many, long):
        assert_outcome(fhir.send("POST", "Patient/_search", text, Content_Type=FORM), 400, "invalid")
        for asked in (
            entry("GET", f"Patient?{text}"),
            entry("POST", "Patient", patient(), ifNoneExist=text),
            entry("DELETE", f"Patient?{text}"),
        ):
            answer = fhir.send("POST", "", transaction(asked))
            assert_outcome(answer, 400, "invalid")
    assert time.process_time() - before < CPU_SECONDS


def test_pairs_are_as_long_as_a_search_may_be_where_all_is_escaped():
    assert pairs("name=" + "%C3%A9" * (TEXT_AT_MOST // 6 - 1)) == [("name", "é" * (TEXT_AT_MOST // 6 - 1))]
    assert pairs("") == []
    assert pairs("a&b=&c=1") == [("a", ""), ("b", ""), ("c", "1")]


def parameters(*paths):
    """A FHIRPath Patch that deletes what each of these paths finds."""
    parts = (
        {"name": "operation", "part": [{"name": "type", "valueCode": "delete"}, {"name": "path", "valueString": path}]} for path in paths
    )
    return {"resourceType": "Parameters", "parameter": [*parts]}


COSTLY = {
    "from the whole anew in each where": "Patient.name" + ".where(Patient.name" * 9 + ".exists()" + ")" * 9,
    "alternatives that are all false": "Patient.name.where(" + " or ".join(["1=2"] * 120) + ").where(" + " or ".join(["1=2"] * 20) + ")",
    "comparisons of the whole": "Patient.name.where(Patient.name.given=Patient.name.given and Patient.name.family=Patient.name.given)",
}


@pytest.mark.parametrize("path", COSTLY.values(), ids=COSTLY)
def test_a_path_that_would_be_followed_for_ever_is_given_up(fhir, path):
    id = fhir.create(patient(name=[{"family": "Kanarifugl", "given": ["River"]}] * 500))["id"]
    before = time.process_time()
    assert_outcome(fhir.send("PATCH", f"Patient/{id}", parameters(path)), 400, "too-costly")
    assert time.process_time() - before < CPU_SECONDS


def test_the_operations_of_one_patch_share_what_they_may_look_at(fhir):
    id = fhir.create(patient(name=[{"family": "Kanarifugl"}] * 500))["id"]
    one = "Patient.name.where(family='x')"
    assert fhir.send("PATCH", f"Patient/{id}", parameters(*[one] * 10)).status_code == 200
    assert_outcome(fhir.send("PATCH", f"Patient/{id}", parameters(*[one] * 900)), 400, "too-costly")


def test_a_path_that_means_something_takes_little_effort():
    whole = fhirpath.Whole(**{**vars(fhirpath.root(patient(name=[{"use": "official"}] * 20))), "effort": Effort(200, "x")})
    assert len(fhirpath.parse("Patient.name.where(use='official').first()").nodes(whole)) == 1
    with pytest.raises(TooCostly):
        [fhirpath.parse("Patient.name.where(use='official').first()").nodes(whole) for _ in range(2)]


def test_a_json_patch_copies_so_much_in_all_and_no_more(fhir):
    id = fhir.create(patient(name=[{"family": "Kanarifugl"}] * 2000))["id"]
    copies = [{"op": "copy", "from": "/name", "path": f"/copy{number}"} for number in range(800)]
    before = time.process_time()
    issue = assert_outcome(fhir.send("PATCH", f"Patient/{id}", copies, Content_Type="application/json-patch+json"), 422, "processing")
    assert "copies too much" in issue["diagnostics"]
    assert time.process_time() - before < CPU_SECONDS


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["resourceType", "extension", "entry", "a"]), inner),
        max_leaves=20,
    ),
    st.integers(0, 400),
)
@fuzzed(60)
def test_whatever_is_sent_however_deep_is_answered(fhir, value, levels):
    for path, kind in (
        ("", "application/fhir+json"),
        ("Patient", "application/fhir+json"),
        ("Patient/none", "application/json-patch+json"),
    ):
        for body in (value, nested(levels, value), {"resourceType": "Bundle", "type": "batch", "entry": nested(levels, value)}):
            answer = fhir.send("PATCH" if kind.endswith("patch+json") else "POST", path, json.dumps(body), Content_Type=kind)
            assert answer.status_code < 500, answer.text
            assert answer.json["resourceType"] in ("OperationOutcome", "Bundle", "Patient")
