"""What is indexed of a resource, from its raw JSON."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir.dates import BEGIN, END, span, spans
from adapter.store import index
from adapter.store.index import KEYS
from adapter.store.search_parameters import COMMON, parameters, table
from adapter.store.values import CONVERT, EXACT


def entries(resource_type, **body):
    return index.entries({"resourceType": resource_type, **body})


def at(*parts):
    return datetime(*parts, tzinfo=UTC)


def test_a_coded_element_is_found_by_code_and_by_system():
    code = {
        "coding": [{"system": "http://loinc.org", "code": "1-8"}, {"code": "own"}, {"system": "http://only.example"}],
        "text": "Kanarifugl",
    }
    found = entries("Observation", code=code, status="final")
    assert found["code"] == ["1-8", "http://loinc.org|1-8", "http://loinc.org|", "own", "|own", "http://only.example|"]
    assert found["status"] == ["final", "|final"]
    assert found["combo-code"] == found["code"]


def test_identifiers_contact_points_and_booleans_are_tokens():
    found = entries(
        "Patient",
        active=False,
        identifier=[{"system": "urn:oid:1.2", "value": "7"}, {"value": "8"}, {"system": "urn:oid:1.3"}],
        telecom=[{"system": "phone", "value": "555"}, {"system": "email", "value": "a@b.example"}],
    )
    assert found["identifier"] == ["7", "urn:oid:1.2|7", "urn:oid:1.2|", "8", "|8"]
    assert found["active"] == ["false"]
    assert found["phone"] == ["555", "|555"]
    assert found["email"] == ["a@b.example", "|a@b.example"]
    assert found["telecom"] == [*found["phone"], *found["email"]]


@pytest.mark.parametrize(
    ("body", "value"),
    [({}, "false"), ({"deceasedBoolean": False}, "false"), ({"deceasedBoolean": True}, "true"), ({"deceasedDateTime": "2020"}, "true")],
)
def test_deceased_is_true_by_flag_or_by_date(body, value):
    assert entries("Patient", **body)["deceased"] == [value]


def test_a_reference_is_found_by_type_and_id_and_by_id_alone():
    found = entries(
        "Observation", subject={"reference": "Patient/1/_history/4"}, performer=[{"reference": "#contained"}, {"display": "Kanarifugl"}]
    )
    assert found["subject"] == found["patient"] == ["Patient/1", "1"]
    assert "performer" not in found
    assert entries("Observation", subject={"reference": "http://x.example/fhir/Patient/1"})["patient"] == [
        "http://x.example/fhir/Patient/1"
    ]
    group = entries("Observation", subject={"reference": "Group/1"})
    assert group["subject"] == ["Group/1", "1"]
    assert "patient" not in group


def test_a_canonical_is_found_with_and_without_its_version():
    found = entries("QuestionnaireResponse", questionnaire="http://x.example/Questionnaire/prapare|2")
    assert found["questionnaire"] == ["http://x.example/Questionnaire/prapare|2", "http://x.example/Questionnaire/prapare"]


def test_strings_are_folded_and_kept():
    found = entries("Patient", name=[{"family": "Kanarifugl  Ærø-Ñandú", "given": ["Zoë"]}])
    assert found["family"] == ["kanarifugl ærø-nandu", EXACT + "Kanarifugl Ærø-Ñandú"]
    assert found["name"] == ["kanarifugl ærø-nandu", EXACT + "Kanarifugl Ærø-Ñandú", "zoe", EXACT + "Zoë"]


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("2025", at(2025, 1, 1), at(2026, 1, 1)),
        ("2025-12", at(2025, 12, 1), at(2026, 1, 1)),
        ("2024-02-29", at(2024, 2, 29), at(2024, 3, 1)),
        ("2025-04-22T09:00:00-04:00", at(2025, 4, 22, 13), at(2025, 4, 22, 13, 0, 1)),
        ("2025-04-22T09:00", at(2025, 4, 22, 9), at(2025, 4, 22, 9, 1)),
        ("2025-04-22T09:00:00.1239Z", at(2025, 4, 22, 9, 0, 0, 123000), at(2025, 4, 22, 9, 0, 0, 124000)),
        ("9999-12-31", at(9999, 12, 31), END),
        ("9999", at(9999, 1, 1), END),
    ],
)
def test_a_date_spans_all_that_it_can_mean(text, low, high):
    assert span(text) == (low, high)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20250101",
        "2025-13",
        "2025-02-30",
        "0000",
        "2025-1-1",
        "2025-01-01T",
        "yesterday",
        "٢٠٢٥",
        " 2025",
        2025,
        None,
        "0001-01-01T00:00:00+14:00",
    ],
)
def test_what_is_no_date_has_no_span(text):
    assert span(text) is None


def test_periods_may_be_open_and_timings_reach_over_their_events():
    assert spans({"start": "2025"}) == (at(2025, 1, 1), END)
    assert spans({"end": "2025"}) == (BEGIN, at(2026, 1, 1))
    assert spans({"event": ["2025-03", "2025-01-02"]}) == (at(2025, 1, 2), at(2025, 4, 1))
    assert spans({"repeat": {"boundsPeriod": {"start": "2025", "end": "2026"}}}) == (at(2025, 1, 1), at(2027, 1, 1))
    assert spans({"repeat": {"frequency": 1}}) is None
    found = entries("CarePlan", period={"start": "2025-01-01", "end": "2025-01-31"})
    assert found["date"] == [{"lo": at(2025, 1, 1), "hi": at(2025, 2, 1)}]


def test_common_parameters_are_indexed_for_any_type():
    meta = {
        "tag": [{"system": "s:x", "code": "t"}],
        "profile": ["http://x.example/p"],
        "source": "http://x.example",
        "security": [{"code": "R"}],
    }
    for type in ("Patient", "Basic", "Slot"):
        found = entries(type, meta=meta)
        assert (found["_tag"], found["_profile"]) == (["t", "s:x|t", "s:x|"], ["http://x.example/p"])
        assert (found["_source"], found["_security"]) == (["http://x.example"], ["R", "|R"])


def test_the_keys_are_what_finds_few():
    found = entries(
        "Observation",
        status="final",
        category=[{"coding": [{"system": "s:c", "code": "vital"}]}],
        code={"coding": [{"system": "http://loinc.org", "code": "1-8"}, {"code": "own"}]},
        subject={"reference": "Patient/1"},
        effectiveDateTime="2025-01-02",
    )
    assert sorted(found[KEYS]) == ["1-8", "2025-01-02T00:00:00.000Z", "Patient/1", "Patient/1 1-8", "Patient/1 own", "own"]


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False).map(Decimal) | st.text() | st.just("2025-01-01"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "system", "value", "reference", "start", "end", "event", "repeat", "text"]), inner
        )
    ),
    max_leaves=10,
)


@given(st.data())
def test_odd_content_is_left_out_and_never_raises(data):
    type = data.draw(st.sampled_from(sorted(name for name, rows in table().items() if len(rows) > len(COMMON) + 1)))
    names = sorted({path.split(".")[0].split("[")[0].split(":")[0].rstrip("?") for row in parameters(type).values() for path in row.paths})
    body = data.draw(st.dictionaries(st.sampled_from(names), junk, max_size=5))
    for name, values in entries(type, **body).items():
        assert name == KEYS or name in parameters(type)
        assert values
        assert all(isinstance(value, str) or value["lo"] <= value["hi"] for value in values)


def test_every_row_of_the_table_can_be_compiled_and_is_of_a_served_kind():
    for type, rows in table().items():
        assert {row.kind for row in rows.values()} <= {*CONVERT, "composite"}
        assert all(target in table() for row in rows.values() for target in row.targets)
        index.entries({"resourceType": type})
