"""Levels of risk proposed from a case's records, with what they rest on."""

from adapter.care.questionnaire import canonical
from adapter.cases.facts import Facts
from adapter.casework.weighing import weighed

TODAY = "2025-04-18"
LOINC = "http://loinc.org"


def _phq9(at, item_9="LA6568-5"):
    links = ("44250-9", "44255-8", "44259-0", "44254-1", "44251-7", "44258-2", "44252-5", "44253-3")
    codes = dict.fromkeys(links, "LA6569-3") | {"44260-8": item_9}
    answers = [{"link_id": link, "values": [{"code": {"system": LOINC, "code": code}}]} for link, code in codes.items()]
    return {"status": "completed", "instrument": f"{canonical('phq9')}|1.0.0", "authored_at": at, "answers": answers}


def _pressure(at, systolic, diastolic):
    parts = (("8480-6", systolic), ("8462-4", diastolic))
    components = [{"code": {"code": code}, "value": {"quantity": {"value": value, "code": "mm[Hg]"}}} for code, value in parts]
    return {"status": "final", "code": {"code": "85354-9"}, "effective": {"date_time": at}, "components": components}


def _levels(**records):
    found = weighed(Facts(records), TODAY)
    return {each.kind: (each.level, each.evidence) for each in found.factors}, found.urgent_flags


def test_of_what_nothing_is_known_nothing_is_proposed():
    assert _levels() == ({}, ())


def test_a_level_names_the_record_that_it_rests_on():
    """P-05"""
    levels, _ = _levels(response={"QuestionnaireResponse/a": _phq9("2025-04-17T09:00:00Z")})
    assert levels == {"mental_health": ("low", ("QuestionnaireResponse/a",))}


def test_an_answer_about_suicide_is_high_and_urgent():
    """V-19"""
    levels, flags = _levels(response={"QuestionnaireResponse/a": _phq9("2025-04-17T09:00:00Z", "LA6569-3")})
    assert levels["mental_health"][0] == "high"
    assert flags == ("suicide_item",)


def test_the_latest_measurement_counts_and_an_implausible_one_does_not():
    at = "2025-04-1{}T09:00:00Z"
    readings = {"Observation/new": _pressure(at.format(7), 150, 95), "Observation/old": _pressure(at.format(5), 118, 75)}
    levels, _ = _levels(measurement=readings | {"Observation/wrong": _pressure(at.format(8), 60, 95)})
    assert levels == {"blood_pressure": ("moderate", ("Observation/new",))}


def test_a_stay_that_ended_within_thirty_days_counts():
    def stay(end):
        return {"status": "finished", "encounter_class": {"code": "IMP"}, "period": {"start": "2025-01-01", "end": end}}

    recent, _ = _levels(encounter={"Encounter/a": stay("2025-03-19")})
    old, _ = _levels(encounter={"Encounter/a": stay("2025-03-18")})
    assert recent == {"readmission": ("low", ("Encounter/a",))}
    assert old == {}
