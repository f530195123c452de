"""Whatever is sent, the server answers, and every refusal is an OperationOutcome."""

import json

from hypothesis import example, given
from hypothesis import strategies as st

from .fhir import SYSTEM, fuzzed, patient

METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
WORDS = st.sampled_from(
    ["Patient", "Patient/p", "Observation", "_history", "_search", "metadata", "p", "1", "$x", "..", "", "%00", "urn:uuid:1", "Kanarifugl"]
)
PATHS = st.lists(WORDS, max_size=4).map("/".join)
QUERIES = st.lists(
    st.tuples(
        st.sampled_from(
            ["identifier", "_id", "name", "birthdate", "_count", "_since", "_at", "_cursor", "_format", "_pretty", "_sort", "x"]
        ),
        TEXT | st.sampled_from(["1", "-1", f"{SYSTEM}|1", "json", "true", "2025", "9" * 30, "2025-13-45T99:99:99Z"]),
    ),
    max_size=3,
)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept": HEADER_TEXT | st.sampled_from(["application/json;q=x", ";;q", "application/fhir+json; fhirVersion=", ",,,"]),
        "Content_Type": HEADER_TEXT | st.sampled_from(["application/json-patch+json", "application/fhir+json; charset=x", ""]),
        "If_Match": HEADER_TEXT | st.sampled_from(["*", 'W/"1"', 'W/""', 'W/"²"', 'W/"99999999999999999999"']),
        "If_None_Match": HEADER_TEXT | st.sampled_from(["*", 'W/"1"']),
        "If_Modified_Since": HEADER_TEXT | st.sampled_from(["Mon, 32 Foo 99999 99:99:99", "Sat, 01 Jan 0000 00:00:00 GMT", "0"]),
        "If_None_Exist": HEADER_TEXT | st.sampled_from([f"identifier={SYSTEM}|1", "%FF=%00", "_id=1&_id=2"]),
        "Prefer": HEADER_TEXT | st.sampled_from(["return=", "return=minimal", "handling=lenient", ";=;"]),
        "Origin": HEADER_TEXT | st.sampled_from(["null", "http://localhost"]),
    },
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.sampled_from(["resourceType", "id", "meta"]), inner, max_size=3),
    max_leaves=8,
)
ELEMENTS = [
    "id",
    "meta",
    "identifier",
    "name",
    "birthDate",
    "_birthDate",
    "contained",
    "text",
    "extension",
    "resourceType",
    "managingOrganization",
]
PATIENTS = st.dictionaries(st.sampled_from(ELEMENTS), JSON, max_size=3).map(lambda more: patient() | more)
OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | JSON,
        "path": st.sampled_from(["", "/", "/name/0", "/name/-", "/name/0/given/0", "/id", "/meta/versionId", "/~2", "/name/0/family"])
        | JSON,
        "from": st.sampled_from(["", "/name", "/name/0"]) | JSON,
        "value": JSON,
    },
)
FHIRPATHS = st.sampled_from(
    ["Patient", "Patient.name", "name.given[0]", "Patient.name.where(family='x')", "name.first()", "name.exists()", "$this", "id", "meta"]
) | st.lists(
    st.sampled_from(["Patient", "name", ".", "(", ")", "[", "]", "where", "=", "'a'", "1", " and ", "not", "ofType", "value"]), max_size=8
).map("".join)
PARTS = st.fixed_dictionaries(
    {"name": st.sampled_from(["type", "path", "name", "value", "index", "source", "destination"])},
    optional={
        "valueCode": st.sampled_from(["add", "insert", "delete", "replace", "move"]),
        "valueString": FHIRPATHS | st.sampled_from(["name", "given", "active"]),
        "valueInteger": st.integers(-1, 3),
        "valueHumanName": JSON,
        "part": JSON,
        "resource": JSON,
    },
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "method": METHODS | JSON,
        "url": PATHS
        | st.sampled_from([f"Patient?identifier={SYSTEM}|1", "Patient?", "?", "http://localhost/fhir/Patient/p", "//", "http://["])
        | JSON,
        "ifMatch": TEXT | JSON,
        "ifNoneMatch": TEXT,
        "ifModifiedSince": TEXT,
        "ifNoneExist": TEXT | st.just(f"identifier={SYSTEM}|1"),
    },
)
BINARIES = st.fixed_dictionaries(
    {"resourceType": st.just("Binary"), "contentType": st.just("application/json-patch+json"), "data": TEXT | JSON}
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "fullUrl": st.sampled_from(["urn:uuid:1", "urn:uuid:2", "http://a.example/Patient/1"]) | JSON,
        "resource": PATIENTS | BINARIES | JSON,
        "request": REQUESTS | JSON,
    },
)


def assert_answered(answer, method="GET"):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        assert answer.json["resourceType"] == "OperationOutcome"
        assert answer.content_type == "application/fhir+json"


@given(METHODS, PATHS, QUERIES, HEADERS, st.binary(max_size=20) | PATIENTS | JSON)
@example("PATCH", "Patient", [("identifier", f"{SYSTEM}|1")], {"Content_Type": "application/json-patch+json"}, b"")
@example("PUT", "$x/p", [], {}, b"")
@fuzzed(100)
def test_any_request_is_answered(fhir, method, path, query, headers, body):
    answer = fhir.client.open(
        f"/fhir/{path}",
        method=method,
        query_string=query,
        data=body if isinstance(body, bytes) else json.dumps(body),
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )
    assert_answered(answer, method)


@given(PATIENTS)
@example(patient(contained=["Kanarifugl"]))
@example(patient(contained=[{"resourceType": "Kanarifugl"}]))
@fuzzed(100)
def test_any_resource_is_kept_or_refused(fhir, body):
    answer = fhir.send("POST", "Patient", body)
    assert_answered(answer)
    if answer.status_code == 201:
        assert fhir.send("GET", f"Patient/{answer.json['id']}").status_code == 200


@given(st.lists(OPERATIONS, max_size=4) | JSON)
@fuzzed(100)
def test_any_json_patch_is_answered(fhir, operations):
    fhir.put({**patient(), "id": "p"})
    assert_answered(fhir.send("PATCH", "Patient/p", operations, Content_Type="application/json-patch+json"))


@given(st.lists(st.lists(PARTS, max_size=5), max_size=3))
@fuzzed(100)
def test_any_fhirpath_patch_is_answered(fhir, operations):
    fhir.put({**patient(), "id": "p"})
    parameters = [{"name": "operation", "part": parts} for parts in operations]
    assert_answered(fhir.send("PATCH", "Patient/p", {"resourceType": "Parameters", "parameter": parameters}))


@given(st.sampled_from(["batch", "transaction"]) | JSON, st.lists(ENTRIES | JSON, max_size=4) | JSON)
@example("batch", [{"request": {"method": []}}])
@fuzzed(100)
def test_any_bundle_is_answered(fhir, kind, entries):
    answer = fhir.send("POST", "", {"resourceType": "Bundle", "type": kind, "entry": entries})
    assert_answered(answer)
    if answer.status_code == 200:
        for item in answer.json.get("entry", []):
            assert item["response"]["status"][0] != "5"
            if item["response"]["status"][0] == "4":
                assert item["response"]["outcome"]["resourceType"] == "OperationOutcome"
