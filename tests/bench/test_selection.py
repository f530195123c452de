import json

import pytest

from tests.bench.selection import chosen, in_order


def resource(type, id, *refers):
    return {"resourceType": type, "id": id, "link": [{"reference": reference} for reference in refers]}


DATA = [
    resource("Claim", "c1", "Patient/p1", "Encounter/e1"),
    resource("Encounter", "e1", "Patient/p1", "Practitioner/d1"),
    resource("Encounter", "e2", "Patient/p2", "Practitioner/d2"),
    resource("Encounter", "e3", "Patient/p2", "Practitioner/d1"),
    resource("Patient", "p1"),
    resource("Patient", "p2"),
    resource("Organization", "o1"),
    resource("Organization", "o2"),
    resource("Practitioner", "d1", "Organization/o1"),
    resource("Practitioner", "d2", "Organization/o2"),
]


def texts():
    return (json.dumps(raw).encode() for raw in DATA)


def keys(resources):
    return [f"{raw['resourceType']}/{raw['id']}" for raw in resources]


@pytest.mark.parametrize("about", range(3, 7))
def test_a_chosen_patient_comes_whole_and_with_all_that_is_referred_to(about):
    found = keys(map(json.loads, chosen(texts, about)))
    of_patient = {"Patient/p1": {"Claim/c1", "Encounter/e1"}, "Patient/p2": {"Encounter/e2", "Encounter/e3"}}
    patients = of_patient.keys() & set(found)
    assert len(patients) == about // 3
    assert all(of_patient[patient] <= set(found) for patient in patients)
    assert len(found) == len(set(found))
    referred = {link["reference"] for raw in DATA if f"{raw['resourceType']}/{raw['id']}" in found for link in raw["link"]}
    assert referred <= set(found)


def test_what_no_chosen_patient_needs_is_left_out():
    assert chosen(texts, 2) == []
    assert ("Organization/o2" in keys(map(json.loads, chosen(texts, 3)))) == ("Encounter/e2" in keys(map(json.loads, chosen(texts, 3))))


def test_every_resource_comes_behind_what_it_refers_to():
    found = in_order(DATA)
    seen = set()
    for raw in found:
        assert {link["reference"] for link in raw["link"]} <= seen
        seen.add(f"{raw['resourceType']}/{raw['id']}")
    assert sorted(keys(found)) == sorted(keys(DATA))
