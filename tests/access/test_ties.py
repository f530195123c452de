"""Whose a resource is, and who is tied to a patient when."""

from datetime import UTC, datetime

import pytest

from adapter.access import whose
from adapter.access.ties import ties
from adapter.store.membership import record

RIVER, ALMA = {"reference": "Patient/river"}, {"reference": "Patient/alma"}


def at(day):
    return datetime(2025, 4, day, 12, tzinfo=UTC)


def held(raw, day):
    return {tie.key for tie in ties(raw) if tie.holds(at(day))}


def test_a_coverage_ties_its_payers_as_long_as_it_lasts():
    raw = {
        **{"resourceType": "Coverage", "status": "active", "beneficiary": RIVER, "period": {"start": "2025-04-10", "end": "2025-04-20"}},
        "payor": [{"reference": "Organization/ins"}, {"display": "another"}, {"reference": "Organization/second/_history/1"}],
    }
    both = {"payor=Organization/ins", "payor=Organization/second"}
    assert [held(raw, day) for day in (9, 10, 20, 21)] == [set(), both, both, set()]
    assert held({**raw, "status": "cancelled"}, 15) == held({**raw, "beneficiary": {"display": "River"}}, 15) == set()
    assert held({**raw, "period": {"start": "soon"}}, 15) == set()


@pytest.mark.parametrize(
    ("end", "days"),
    [
        ("soon", []),
        ("2025-02-30", []),
        (None, []),
        ("2025-04-20T23:59:60Z", [10, 20]),
        ("2025-04-20", [10, 20]),
    ],
)
def test_a_period_whose_end_cannot_be_read_ties_nobody(end, days):
    period = {"start": "2025-04-10", "end": end}
    cover = {"resourceType": "Coverage", "status": "active", "beneficiary": RIVER, "payor": [ALMA], "period": period}
    team = {"resourceType": "CareTeam", "subject": RIVER, "participant": [{"member": ALMA, "period": period}]}
    for raw in (cover, team):
        assert [day for day in (9, 10, 20, 21, 25) if held(raw, day)] == days
    assert held({**cover, "period": {"start": end, "end": "2025-04-30"}}, 25) == ({"payor=Patient/alma"} if days else set())


def test_a_period_ends_where_it_says_even_in_the_year_or_month_that_it_starts_in():
    cover = {"resourceType": "Coverage", "status": "active", "beneficiary": RIVER, "payor": [ALMA]}
    for start in ("2025", "2025-04"):
        assert [bool(held({**cover, "period": {"start": start, "end": "2025-04-20"}}, day)) for day in (20, 21)] == [True, False]


def test_a_case_ties_its_manager_and_a_care_team_its_members_while_they_are_in_it():
    case = {"resourceType": "EpisodeOfCare", "status": "active", "patient": RIVER, "careManager": {"reference": "Practitioner/noor"}}
    assert held(case, 15) == {"manager=Practitioner/noor"}
    assert held({**case, "status": "cancelled"}, 15) == set()
    team = {
        **{"resourceType": "CareTeam", "subject": RIVER, "period": {"start": "2025-04-10"}},
        "participant": [{"member": {"reference": "Practitioner/noor"}, "period": {"end": "2025-04-12"}}, {"member": RIVER}],
    }
    assert held(team, 9) == set()
    assert held(team, 12) == {"member=Practitioner/noor", "member=Patient/river"}
    assert held(team, 13) == {"member=Patient/river"}


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"resourceType": "Patient", "id": "river"}, ["Patient/river"]),
        ({"resourceType": "Observation", "subject": RIVER, "performer": [ALMA]}, ["Patient/river"]),
        ({"resourceType": "Coverage", "beneficiary": RIVER, "subscriber": ALMA, "payor": [ALMA]}, ["Patient/river"]),
        ({"resourceType": "Task", "for": RIVER, "owner": ALMA}, ["Patient/river"]),
        ({"resourceType": "Appointment", "participant": [{"actor": RIVER}, {"actor": ALMA}]}, ["Patient/alma", "Patient/river"]),
        ({"resourceType": "Group", "member": [{"entity": ALMA}]}, ["Patient/alma"]),
        ({"resourceType": "Observation", "subject": {"reference": "Group/all"}}, []),
        ({"resourceType": "Observation", "subject": {"reference": "https://elsewhere.example/fhir/Patient/river"}}, []),
        ({"resourceType": "CarePlan", "subject": RIVER, "patient": ALMA}, ["Patient/river"]),
    ],
)
def test_a_resource_is_whose_record_it_is_in(raw, expected):
    assert whose.owners(raw) == expected


def test_every_type_of_a_patient_s_record_can_have_an_owner():
    # Who only was somewhere, or did something, is no owner; of these types that is all that R4 says of a patient.
    others = {"AuditEvent", "Provenance", "SupplyRequest"}
    places = ("subject", "patient", "beneficiary", "for", "actor", "individual", "candidate")
    for type in record("Patient").keys() - others:
        raws = [{"resourceType": type, "id": "river", name: RIVER} for name in places]
        raws += [{"resourceType": type, "participant": [{"actor": RIVER}]}, {"resourceType": type, "member": [{"entity": RIVER}]}]
        assert any(whose.owners(raw) == ["Patient/river"] for raw in raws), type


def test_an_old_version_is_as_sensitive_as_what_came_after_it():
    plain, secret, other = ["Patient/a", "Patient/a|"], ["Patient/a", "Patient/a|hiv"], ["Patient/b", "Patient/b|"]
    assert whose.followed(plain, secret) == whose.followed(secret, plain) == secret
    assert whose.followed(plain, other) == whose.followed([], plain) == []
    assert whose.read(secret) == {"Patient/a": {"hiv"}}
