"""Whose and about what: a search by both finds what a search by each, and the rest of its conditions, would."""

from adapter.store import search
from adapter.store.filters import KEY


def about(patient, *codes):
    return {"status": "final", "subject": {"reference": patient}, "code": {"coding": [{"system": "urn:c", "code": code} for code in codes]}}


def test_a_patient_and_a_code_find_what_has_both(save, find):
    save("Observation", a=about("Patient/1", "x", "y"), b=about("Patient/1", "z"), c=about("Patient/2", "x"), d=about("Group/1", "x"))
    assert find("Observation", patient="1", code="x") == ["a"]
    assert find("Observation", patient="Patient/1", code="urn:c|y") == ["a"]
    assert find("Observation", subject="Patient/1,Patient/2", code="x,z") == ["a", "b", "c"]
    assert find("Observation", ("subject:Patient", "2"), code="x") == ["c"]
    assert find("Observation", subject="Group/1", code="x") == ["d"]
    assert find("Observation", patient="1", code="urn:other|x") == []
    assert find("Observation", ("code:not", "x"), patient="1") == ["b"]
    assert find("Observation", ("patient:missing", "false"), code="x") == ["a", "c"]


def test_the_pair_is_what_leads_to_it():
    def key(*params):
        return search.parse("Observation", params).filter[KEY]

    assert key(("code", "urn:c|x"), ("patient", "1"), ("date", "ge2020")) == "Patient/1 x"
    assert key(("code", "x,y"), ("patient", "1,2")) == {"$in": ["Patient/1 x", "Patient/1 y", "Patient/2 x", "Patient/2 y"]}
    assert key(("code", "x"), ("subject", "Group/1")) == "Group/1"
