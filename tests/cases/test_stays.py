"""Which stays are readmissions."""

from datetime import date

import pytest

from adapter.cases.stays import discharges, emergency_visit, stays

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def encounter(start, end=None, code="IMP", **fields):
    period = {"start": start} | ({"end": end} if end else {})
    whole = {"client": "Patient/1", "status": "finished" if end else "in_progress", "period": period}
    return whole | {"encounter_class": {"system": ACT, "code": code}} | fields


def code(value):
    return {"code": value}


def readmitted(first, *later):
    """The references of the readmission after the first of these encounters; None where its discharge is no index."""
    named = {f"Encounter/{number}": each for number, each in enumerate((first, *later))}
    found = {each.stay.reference: each.readmission for each in discharges(stays(named), 30)}
    if "Encounter/0" not in found:
        return None
    back = found["Encounter/0"]
    return back.reference if back else "none"


INDEX = encounter("2025-04-12", "2025-05-03")


@pytest.mark.parametrize(
    ("start", "counts"),
    [("2025-05-03", "none"), ("2025-05-04", "Encounter/1"), ("2025-06-02", "Encounter/1"), ("2025-06-03", "none")],
    ids=["the day of the discharge", "the day after", "day 30", "day 31"],
)
def test_a_readmission_begins_within_thirty_days_after_the_day_of_the_discharge(start, counts):
    """V-15, O-02, P-22"""
    assert readmitted(INDEX, encounter(start)) == counts


def test_the_days_are_those_that_the_hospital_wrote():
    """V-15"""
    late = encounter("2025-04-12", "2025-05-03T23:30:00-04:00")
    assert readmitted(late, encounter("2025-06-02T00:10:00-04:00")) == "Encounter/1"
    assert readmitted(late, encounter("2025-06-03T00:10:00-04:00")) == "none"


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [
        (INDEX, encounter("2025-05-10", priority=code("EL")), "none"),
        (INDEX, encounter("2025-05-10", priority=code("EM")), "Encounter/1"),
        (INDEX | {"discharge_disposition": code("exp")}, encounter("2025-05-10"), None),
        (INDEX, encounter("2025-05-04", admit_source=code("hosp-trans")), None),
        (INDEX | {"discharge_disposition": code("rehab")}, encounter("2025-05-03"), None),
        (INDEX | {"discharge_disposition": code("rehab")}, encounter("2025-05-04", admit_source=code("emd")), "Encounter/1"),
        (INDEX | {"discharge_disposition": code("rehab")}, encounter("2025-05-05"), "Encounter/1"),
        (INDEX | {"service_provider": "Organization/a"}, encounter("2025-05-04", service_provider="Organization/b"), None),
        (INDEX, encounter("2025-05-10", code="AMB"), "none"),
        (INDEX, encounter("2025-05-10", status="cancelled"), "none"),
        (INDEX, encounter("2025-05-10", part_of="Encounter/x"), "none"),
    ],
    ids=["planned", "urgent", "died", "transferred", "to rehabilitation", "came back by ambulance", "later", "another hospital"]
    + ["not an inpatient", "did not take place", "a part of a stay"],
)
def test_planned_stays_transfers_and_deaths_do_not_count(first, second, counts):
    """V-15"""
    assert readmitted(first, second) == counts


def test_a_transfer_s_index_is_the_discharge_at_the_end_of_the_chain():
    """V-15"""
    chain = [INDEX, encounter("2025-05-03", "2025-05-20", admit_source=code("hosp-trans")), encounter("2025-06-10")]
    found = list(discharges(stays({f"Encounter/{number}": each for number, each in enumerate(chain)}), 30))
    assert [(each.stay.reference, each.readmission and each.readmission.reference) for each in found] == [("Encounter/1", "Encounter/2")]


def test_a_transfer_out_of_a_planned_stay_is_no_readmission():
    """V-15"""
    planned = encounter("2025-05-10", "2025-05-12", priority=code("EL"))
    assert readmitted(INDEX, planned, encounter("2025-05-12", admit_source=code("hosp-trans"))) == "none"


def test_the_length_of_a_stay_is_its_midnights():
    """O-01"""
    [found] = stays({"Encounter/0": INDEX})
    assert (found.days, found.end) == (21, date(2025, 5, 3))
    assert stays({"Encounter/0": encounter("2025-05-03")})[0].days is None


def test_a_visit_to_the_emergency_department_took_place_there():
    """O-03"""
    assert emergency_visit(encounter("2025-05-03", code="EMER"))
    assert not emergency_visit(INDEX)
    assert not emergency_visit(encounter("2025-05-03", code="EMER", status="cancelled"))
