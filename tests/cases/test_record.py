from decimal import Decimal

import mongoengine
import pytest

from adapter.cases.record import Record
from adapter.cases.registry import RECORDS, TYPES, types_of

CLIENT = {
    "identifiers": [{"system": "urn:example:mrn", "value": "1"}],
    "names": [{"use": "official", "family": "Kanarifugl", "given": ["Ann", "Ann"]}],
}


def problems(concept: str, **fields: object) -> list[str]:
    return RECORDS[concept].of(fields).problems()


def test_every_concept_is_registered_by_its_own_name_and_type():
    assert set(RECORDS.values()) == set(Record.__subclasses__())
    assert RECORDS.keys() == TYPES.keys()
    for name, kind in RECORDS.items():
        assert kind.concept == name
        assert issubclass(kind, mongoengine.EmbeddedDocument)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_says_only_of_its_own_fields_that_they_are_local(name: str):
    kind = RECORDS[name]
    assert set(kind.keys()) >= kind.LOCAL
    assert not kind.ELSEWHERE.keys() & set(kind.keys())
    assert kind.__doc__


@pytest.mark.parametrize("name", RECORDS)
def test_a_list_with_a_key_has_that_keys_fields(name: str):
    for path, key in RECORDS[name].list_keys().items():
        kind = RECORDS[name]
        for step in path.split("."):
            field = {field.db_field: field for field in kind._fields.values()}[step]
            kind = getattr(field, "field", field).document_type
        assert {part.split(".")[0] for part in key} <= {field.db_field for field in kind._fields.values()}


def test_fields_come_back_as_they_went_in_and_are_attributes():
    record = RECORDS["client"].of(CLIENT)
    assert record.fields() == CLIENT
    assert record.names == CLIENT["names"]
    assert record.birth_date is None
    assert record.problems() == []


def test_a_key_that_python_has_taken_keeps_its_name_in_the_fields():
    plan = {"client": "Patient/1", "status": "active", "intent": "plan", "problems": ["Condition/1"]}
    record = RECORDS["plan"].of(plan)
    assert record.problems() == []
    assert record.problem_list == ["Condition/1"]


def test_required_fields_are_asked_for_at_every_depth():
    assert problems("client") == ["identifiers: is missing", "names: is missing"]
    assert "payers: is missing" in problems("coverage", client="Patient/1", status="active", member_id="1")
    assert problems("advocacy", client="Patient/1", status="completed", kind="liaison", issue="x", notes=[{"at": "2025"}]) == [
        "notes[0].text: is missing"
    ]


@pytest.mark.parametrize("empty", [None, "", [], {}])
def test_an_absent_value_is_an_absent_key(empty: object):
    assert problems("client", **CLIENT, telecoms=empty) == ["telecoms: is empty; an absent value is an absent key"]


@pytest.mark.parametrize(
    ("concept", "fields", "path"),
    [
        ("client", {**CLIENT, "birth_date": "Kanarifugl"}, "birth_date"),
        ("client", {**CLIENT, "birth_date": "1994-13"}, "birth_date"),
        ("client", {**CLIENT, "administrative_gender": "Kanarifugl"}, "administrative_gender"),
        ("client", {**CLIENT, "active": "Kanarifugl"}, "active"),
        ("client", {**CLIENT, "names": "Kanarifugl"}, "names"),
        ("client", {**CLIENT, "names": ["Kanarifugl"]}, "names[0]"),
        ("client", {**CLIENT, "names": [{"family": 7}]}, "names[0].family"),
        ("client", {**CLIENT, "names": [{"Kanarifugl": "x"}]}, "names[0]"),
        ("client", {**CLIENT, "Kanarifugl": "x"}, "client"),
        ("client", {**CLIENT, "telecoms": [{"rank": 0}]}, "telecoms[0].rank"),
        ("client", {**CLIENT, "telecoms": [{"rank": True}]}, "telecoms[0].rank"),
        ("client", {**CLIENT, "decision_maker": "Patient/Kanarifugl"}, "decision_maker"),
        (
            "case_manager",
            {"names": [{"text": "x"}], "discipline": "nurse", "case_management_work_share": Decimal("1.1")},
            "case_management_work_share",
        ),
        (
            "case_manager",
            {"names": [{"text": "x"}], "discipline": "nurse", "case_management_work_share": 0.5},
            "case_management_work_share",
        ),
        ("appointment", {"client": "Patient/1", "client_attendance": "accepted", "status": "booked", "start": "2025-04-24"}, "start"),
        (
            "appointment",
            {"client": "Patient/1", "client_attendance": "accepted", "status": "booked", "start": "2025-04-24T09:00:00"},
            "start",
        ),
        (
            "goal",
            {"client": "Patient/1", "lifecycle": "active", "description": "x", "targets": [{"value": {"text": "a", "integer": 1}}]},
            "targets[0].value",
        ),
    ],
)
def test_a_problem_names_its_path_and_never_a_value(concept: str, fields: dict[str, object], path: str):
    found = RECORDS[concept].of(fields).problems()
    assert [problem.partition(": ")[0] for problem in found] == [path]
    assert "Kanarifugl" not in str(found)


def test_two_items_with_one_key_are_told_and_equal_texts_are_not():
    twice = {**CLIENT, "identifiers": CLIENT["identifiers"] * 2}
    assert problems("client", **twice) == ["identifiers[1]: has the same system, value as an earlier item"]
    goal = {"client": "Patient/1", "lifecycle": "active", "description": "x"}
    assert problems("goal", **goal, addresses=["Condition/1"] * 2) == ["addresses[1]: has the same value as an earlier item"]


def test_the_key_of_a_stretch_of_history_is_when_it_began():
    stretch = {"status": "planned", "period": {"start": "2025"}}
    case = {"client": "Patient/1", "case_number": "1", "case_type": "general", "status": "planned"}
    assert problems("case", **case, status_history=[stretch, stretch]) == [
        "status_history[1]: has the same period.start as an earlier item"
    ]
    assert problems("case", **case, status_history=[stretch, {**stretch, "period": {"start": "2026"}}]) == []


def test_a_misspelt_field_is_answered_with_the_one_that_is_meant():
    assert problems("client", **CLIENT, birthdate="1994") == ["client: has a field that does not exist (is birth_date meant?)"]


def test_partial_dates_and_zones_as_written_are_right():
    for date in ("1994", "1994-05", "1994-05-17"):
        assert problems("client", **CLIENT, birth_date=date) == []
    for moment in ("2025", "2025-04-22T09:00:00-04:00", "2025-04-22T09:00:00.123Z"):
        assert problems("goal", client="Patient/1", lifecycle="active", description="x", notes=[{"text": "x", "at": moment}]) == []


def test_enumerations_are_told_by_path():
    assert "finances" in RECORDS["risk_evaluation"].enumerations()["factors.kind"]
    assert RECORDS["client"].enumerations()["administrative_gender"] == {"male", "female", "other", "unknown"}


def test_a_stakeholder_is_an_organisation_or_a_person_by_what_it_is():
    assert types_of("stakeholder", {"kind": "insurer"}) == ("Organization",)
    assert types_of("stakeholder", {"kind": "physician"}) == ("Practitioner",)
    assert types_of("stakeholder", {"kind": "other", "names": [{"text": "x"}]}) == ("Practitioner",)
    assert types_of("case_manager", {}) == ("Practitioner", "PractitionerRole")
