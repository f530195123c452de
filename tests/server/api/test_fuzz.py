"""Whatever is asked, the case API answers with what its description says, or with a problem; it never fails."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cases.registry import RECORDS
from adapter.fhir.resource import dumps
from server.api.application import document
from server.api.paths import path_of
from tests.server.fhir import fuzzed

from .bodies import record
from .conftest import DANA, CaseApi, case, new_client, person

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
NUMBERS = st.sampled_from(["1e400", "-0", "1e-400", "9" * 40, "0." + "3" * 40, "1E+2", "9223372036854775808"])
TEXTS = st.sampled_from(["", "1", "å", "a/b", "2025", "Patient/1", "9999-12-31T23:59:59.999Z", "0001-01-01"])
SEGMENTS = st.sampled_from(["1", "dana", "alma", "%00", "..", "a" * 65, "%C3%A5", "kanarifugl", "{}", "$x"]) | st.text("ab/%?#", max_size=4)
# The routes of all concepts are the same code, so two of them stand for all: one of one face and one of two.
OPERATIONS = [
    (method, path, item[method])
    for path, item in document()["paths"].items()
    for method in item
    if method != "parameters" and (item[method]["tags"][0] in ("goal", "case_manager") or path.count("/") > 3 or "preview" in path)
]
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "If_Match": st.sampled_from(['W/"1"', "*", "", '"x"', "99999999999999999999", "0"]),
        "If_None_Match": st.sampled_from(["*", 'W/"1"', ""]),
        "Idempotency_Key": st.sampled_from(["k", "", "x" * 65, "å"]),
        "Casebridge_Actor": st.sampled_from([DANA, "", "Patient/alma", "Practitioner/", "Kanarifugl", "a/b/c"]),
        "Content_Type": st.sampled_from(["application/json", "application/fhir+json", "text/plain", ""]),
        "Content_Encoding": st.sampled_from(["gzip", "br", "identity"]),
    },
)


@pytest.fixture
def api(client):
    api = CaseApi(client)
    api.put_new("case-managers/dana", person("dana"))
    new_client(api, "alma")
    api.create("cases", case())
    return api


def well_told(answer):
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.content_type == "application/problem+json"
        assert answer.json["status"] == answer.status_code
    elif answer.status_code == 200:
        json.loads(answer.data)


@pytest.mark.parametrize(("method", "path", "operation"), OPERATIONS, ids=lambda each: each if isinstance(each, str) else "")
@fuzzed(4)
@given(data=st.data())
def test_an_operation_never_fails(api, method, path, operation, data):
    segments = path.removeprefix("/api/").replace("{id}", data.draw(SEGMENTS)).replace("{kind}", data.draw(SEGMENTS))
    known = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"]
    query = data.draw(
        st.dictionaries(st.sampled_from([*known, "x"]), st.sampled_from(["", "1", "å", "a/b", "2025", "Patient/1"]), max_size=2)
    )
    body = data.draw(st.none() | JSON.map(json.dumps) | st.text(max_size=9)) if "requestBody" in operation else None
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    well_told(api.send(method.upper(), f"{segments}?{asked}", body, **data.draw(HEADERS)))


@pytest.mark.parametrize("concept", RECORDS)
@fuzzed(3)
@given(data=st.data())
def test_a_record_with_a_part_that_is_anything_never_fails(api, concept, data):
    """A whole record in which one value, however deep, is another."""
    whole = data.draw(record(RECORDS[concept]))
    text = dumps(_spoilt(whole, data, data.draw(JSON)))
    well_told(api.send("POST", path_of(concept), text))
    well_told(api.send("POST", path_of(concept), dumps(_spoilt(whole, data, "number here")).replace('"number here"', data.draw(NUMBERS))))


def _spoilt(value, data, other):
    """The value with another somewhere in it."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 3)):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: _spoilt(value[name], data, other)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        return [_spoilt(value[0], data, other), *value[1:]]
    return other
