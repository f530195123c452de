"""What is proposed for Charlson, LACE and HOSPITAL from a client's records, with its evidence; never more than they say."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from adapter.care.comorbidity import SNOMED
from adapter.care.instrument import load
from adapter.care.proposal import PROPOSED, Known, proposal
from adapter.errors import Invalid, NotFound
from tests.cases.stories import situation

ON = date(2025, 2, 10)


def encounter(start: str, end: str | None = None, kind: str = "IMP", **fields: Any) -> dict[str, Any]:
    period = {"start": start, **({"end": end} if end else {})}
    return {"encounter_class": {"code": kind}, "status": "finished", "period": period, **fields}


def condition(concept: str) -> dict[str, Any]:
    return {"code": {"system": SNOMED, "code": concept}, "clinical_status": "active", "verification_status": "confirmed"}


def measurement(code: str, value: str, unit: str, at: str = "2025-02-08T07:00:00Z", **fields: Any) -> dict[str, Any]:
    quantity = {"value": Decimal(value), "code": unit}
    return {
        "status": "final",
        "code": {"system": "http://loinc.org", "code": code},
        "effective": {"date_time": at},
        "value": {"quantity": quantity},
        **fields,
    }


STAY = encounter("2025-02-03T22:00:00-05:00", "2025-02-09T11:00:00-05:00", priority={"code": "EM"})
STROKE, DIABETES, HEMIPLEGIA = condition("230690007"), condition("44054006"), condition("50582007")


def test_every_item_of_the_three_instruments_is_proposed_by_a_row():
    assert set(PROPOSED) == {"charlson", "lace", "hospital"}
    for name, rows in PROPOSED.items():
        assert set(rows) == {item.link_id for item in load(name).items}


def test_charlson_is_proposed_from_conditions_and_age_with_its_evidence():
    known = Known({"Condition/1": STROKE, "Condition/2": DIABETES, "Condition/3": HEMIPLEGIA}, birth_date="1946-11-30")
    found = proposal("charlson", known, ON)
    assert found.answers == {"comorbidity": ("cerebrovascular", "diabetes", "hemiplegia"), "age": (78,)}
    assert next(item.evidence for item in found.items if item.link_id == "comorbidity") == ("Condition/1", "Condition/2", "Condition/3")
    assert found.open == ()
    assert found.score().value == 4


def test_where_no_disease_is_coded_none_is_not_concluded():
    found = proposal("charlson", Known({"Condition/1": condition("59621000")}, birth_date="1990-01-01"), ON)
    assert found.open == ("comorbidity",)
    assert found.score().value is None


@pytest.mark.parametrize(("born", "age"), [("1946-02-10", 79), ("1946-02-11", 78), ("1946", None), (None, None)])
def test_the_age_is_that_of_the_day_and_needs_a_whole_birth_date(born, age):
    found = proposal("charlson", Known(birth_date=born), ON)
    assert found.answers.get("age") == ((age,) if age is not None else None)


def test_lace_is_proposed_from_the_stay_the_conditions_and_the_emergency_visits():
    known = Known(
        {"Condition/1": STROKE, "Condition/2": DIABETES},
        {
            "Encounter/stay": STAY,
            "Encounter/bedside": encounter("2025-02-06T13:00:00-05:00", "2025-02-06T14:00:00-05:00"),
            "Encounter/visit": encounter("2024-08-03", "2024-08-03", "EMER"),
            "Encounter/old": encounter("2024-08-02", "2024-08-02", "EMER"),
            "Encounter/index": encounter("2025-02-02T23:00:00-05:00", "2025-02-03T22:00:00-05:00", "EMER"),
            "Encounter/never": {**encounter("2025-01-02", "2025-01-02", "EMER"), "status": "cancelled"},
        },
    )
    found = proposal("lace", known, ON)
    assert found.answers == {
        "length_of_stay": (6,),
        "acute_admission": (True,),
        "comorbidity": ("cerebrovascular", "diabetes"),
        "emergency_visits": (1,),
    }
    assert [item.evidence for item in found.items if item.link_id in ("emergency_visits", "length_of_stay")] == [
        ("Encounter/stay",),
        ("Encounter/visit",),
    ]
    assert (found.score().value, found.score().band.band) == (10, "high")


def test_a_visit_that_the_stay_names_as_the_one_that_led_to_it_does_not_count():
    stay = {**STAY, "part_of": "Encounter/visit"}
    known = Known(encounters={"Encounter/stay": stay, "Encounter/visit": encounter("2025-02-01", "2025-02-01", "EMER")})
    assert proposal("lace", known, ON).answers["emergency_visits"] == (0,)


@pytest.mark.parametrize(
    ("fields", "acute"),
    [
        ({"priority": {"code": "EM"}}, True),
        ({"priority": {"code": "UR"}}, True),
        ({"priority": {"code": "EL"}}, False),
        ({"priority": {"code": "EL"}, "admit_source": {"code": "emd"}}, False),
        ({"admit_source": {"code": "emd"}}, True),
        ({"admit_source": {"code": "gp"}}, None),
        ({}, None),
    ],
)
def test_an_admission_is_acute_only_where_the_encounter_says_so(fields, acute):
    found = proposal("lace", Known(encounters={"Encounter/1": encounter("2025-02-03", "2025-02-09", **fields)}), ON)
    assert found.answers.get("acute_admission") == (None if acute is None else (acute,))
    assert ("acute_admission" in found.open) is (acute is None)


def test_while_the_client_is_in_hospital_the_length_of_stay_stays_open():
    found = proposal("lace", Known(encounters={"Encounter/1": {**encounter("2025-02-03"), "status": "in_progress"}}), ON)
    assert "length_of_stay" in found.open


def test_the_hospital_score_is_proposed_from_labs_procedures_service_and_earlier_admissions():
    known = Known(
        encounters={
            "Encounter/stay": {**STAY, "service_type": {"system": SNOMED, "code": "419192003"}},
            "Encounter/before": encounter("2024-02-03", "2024-02-07"),
            "Encounter/older": encounter("2024-01-20", "2024-01-25"),
        },
        measurements={
            "Observation/hb1": measurement("718-7", "11.0", "g/dL", "2025-02-04T07:00:00Z"),
            "Observation/hb2": measurement("718-7", "128", "g/L"),
            "Observation/na": measurement("2951-2", "134", "mmol/L"),
        },
        procedures={"Procedure/1": {"status": "completed", "encounter": "Encounter/stay"}},
    )
    found = proposal("hospital", known, ON)
    assert found.answers == {
        "718-7": (Decimal("12.8"),),
        "oncology": (False,),
        "2951-2": (Decimal(134),),
        "procedure": (True,),
        "urgent_admission": (True,),
        "admissions": (1,),
        "length_of_stay": (6,),
    }
    assert {item.link_id: item.evidence for item in found.items}["718-7"] == ("Observation/hb2",)
    assert found.score().value == 5
    assert found.score("2013").value == 7


@pytest.mark.parametrize(
    "unfit",
    [
        measurement("718-7", "11.0", "g/dL", "2025-02-02T07:00:00Z"),
        measurement("718-7", "11.0", "g/dL", "2025-02-10T07:00:00Z"),
        measurement("718-7", "7.4", "mmol/L"),
        measurement("718-7", "11.0", "g/dL", status="entered_in_error"),
        {**measurement("718-7", "5", "g/dL"), "value": {"quantity": {"value": Decimal(5), "code": "g/dL", "comparator": "<"}}},
        {**measurement("718-7", "5", "g/dL"), "value": {"text": "low"}},
        measurement("2951-2", "130", "g/dL"),
    ],
)
def test_a_lab_value_that_is_not_of_the_stay_or_not_in_a_known_unit_is_not_taken(unfit):
    found = proposal("hospital", Known(encounters={"Encounter/1": STAY}, measurements={"Observation/1": unfit}), ON)
    assert "718-7" in found.open


@pytest.mark.parametrize(
    ("procedure", "within"),
    [
        ({"status": "completed", "start": "2025-02-05"}, True),
        ({"status": "completed", "start": "2025-02-10"}, False),
        ({"status": "not_done", "encounter": "Encounter/1"}, False),
        ({"status": "completed", "start": "2025"}, False),
    ],
)
def test_a_procedure_counts_where_it_was_done_in_the_stay(procedure, within):
    found = proposal("hospital", Known(encounters={"Encounter/1": STAY}, procedures={"Procedure/1": procedure}), ON)
    assert ("procedure" in found.answers) is within


def test_an_oncological_service_is_named_as_such_and_an_unknown_one_stays_open():
    for service, answer in (({"system": SNOMED, "code": "394593009"}, (True,)), ({"system": "urn:local", "code": "onc"}, None), ({}, None)):
        known = Known(encounters={"Encounter/1": {**STAY, "service_type": service}})
        assert proposal("hospital", known, ON).answers.get("oncology") == answer


def test_a_stay_can_be_chosen_and_the_last_admission_is_the_default():
    stays = {
        "Encounter/1": encounter("2024-05-01", "2024-05-04"),
        "Encounter/2": STAY,
        "Encounter/3": encounter("2025-03-01", "2025-03-02"),
    }
    assert proposal("lace", Known(encounters=stays), ON).answers["length_of_stay"] == (6,)
    assert proposal("lace", Known(encounters=stays), ON, "Encounter/1").answers["length_of_stay"] == (3,)


def test_what_is_no_stay_of_the_client_is_refused():
    known = Known(encounters={"Encounter/1": encounter("2025-02-01", "2025-02-01", "AMB")})
    with pytest.raises(NotFound):
        proposal("lace", known, ON)
    with pytest.raises(NotFound):
        proposal("lace", known, ON, "Encounter/9")
    with pytest.raises(Invalid):
        proposal("lace", known, ON, "Encounter/1")
    with pytest.raises(NotFound):
        proposal("phq9", known, ON)


def test_e02_alma_s_charlson_is_proposed_from_her_story():
    now = situation("alma", "TR-06")
    client = next(iter(now.facts.of("client").values()))
    known = Known(now.facts.of("condition"), now.facts.of("encounter"), now.facts.of("measurement"), birth_date=client["birth_date"])
    found = proposal("charlson", known, date(2025, 2, 7))
    assert set(found.answers["comorbidity"]) == {"cerebrovascular", "diabetes", "hemiplegia"}
    assert found.score().value == 4
    assert proposal("lace", known, date(2025, 2, 7)).answers["comorbidity"] == ("cerebrovascular", "diabetes")


def test_e01_river_has_no_disease_of_the_index_and_it_is_left_to_a_person():
    now = situation("river", "TR-06")
    assert "comorbidity" in proposal("charlson", Known(now.facts.of("condition")), date(2025, 4, 18)).open
