"""Chains, _has, _list, value sets and compartments: what is found by way of other resources."""

import pytest

from adapter.errors import Invalid, NotFound
from adapter.store import search
from adapter.store.compartments import members

SYSTEM = "http://x.example/CodeSystem/birds"


def coded(code):
    return {"status": "final", "code": {"coding": [{"system": SYSTEM, "code": code}]}}


@pytest.fixture
def clinic(save):
    save("Organization", org={"name": "Kanarifugl House"}, other={"name": "Other"})
    save(
        "Patient",
        p={"gender": "female", "name": [{"family": "Kanarifugl"}], "managingOrganization": {"reference": "Organization/org"}},
        q={"gender": "male", "managingOrganization": {"reference": "Organization/other"}},
        r={"gender": "male"},
    )
    save(
        "Observation",
        one={**coded("canary"), "subject": {"reference": "Patient/p"}, "performer": [{"reference": "Practitioner/d"}]},
        two={**coded("finch"), "subject": {"reference": "Patient/q"}},
        three={**coded("parrot"), "subject": {"reference": "Patient/p"}},
        four={**coded("stone"), "subject": {"reference": "Group/p"}, "performer": [{"reference": "Patient/r"}]},
    )
    save("Practitioner", d={"name": [{"family": "Kanarifugl"}]})
    save("List", l={"status": "current", "mode": "working", "entry": [{"item": {"reference": f"Patient/{id}"}} for id in "qr"]})


@pytest.mark.parametrize(
    ("type", "name", "value", "ids"),
    [
        ("Observation", "patient.family", "kanari", ["one", "three"]),
        ("Observation", "subject:Patient.gender", "male", ["two"]),
        ("Observation", "subject.gender:not", "male", ["one", "three"]),
        ("Observation", "patient.organization.name", "kanarifugl h", ["one", "three"]),
        ("Observation", "patient:Patient.organization:Organization.name:exact", "Other", ["two"]),
        ("Observation", "patient._id", "q", ["two"]),
        ("Observation", "patient.gender", "other", []),
        ("Observation", "patient._has:Observation:patient:code", "finch", ["two"]),
        ("Patient", "_has:Observation:patient:code", "canary", ["p"]),
        ("Patient", "_has:Observation:patient:code", f"{SYSTEM}|finch,parrot", ["p", "q"]),
        ("Patient", "_has:Observation:patient:performer.family", "kanarifugl", ["p"]),
        ("Patient", "_has:Observation:performer:code", "stone", ["r"]),
        ("Organization", "_has:Patient:organization:_has:Observation:patient:code", "finch", ["other"]),
        ("Practitioner", "_has:Observation:performer:patient.gender", "female", ["d"]),
        ("Patient", "_list", "l", ["q", "r"]),
        ("Patient", "_list", "nothing", []),
    ],
)
def test_what_is_referred_to_and_what_refers_can_be_asked_about(clinic, find, type, name, value, ids):
    assert find(type, (name, value)) == ids


def test_joins_add_to_each_other_and_to_other_parameters(clinic, find):
    assert find("Observation", ("patient.family", "kanari"), ("code", "parrot")) == ["three"]
    assert find("Observation", ("patient.family", "kanari"), ("patient.gender", "male")) == []
    assert find("Patient", ("_has:Observation:patient:code", "canary"), ("_has:Observation:patient:code", "parrot")) == ["p"]
    assert find("Patient", ("_has:Observation:patient:code", "canary,finch"), ("_id", "q,r")) == ["q"]


def test_what_was_deleted_leads_nowhere(clinic, find, repository):
    from adapter.store.documents import Change

    repository.commit([Change("Patient", "p", None, 1)])
    assert find("Observation", ("patient.family", "kanari")) == []
    repository.commit([Change("Observation", "two", None, 1)])
    assert find("Patient", ("_has:Observation:patient:code", "finch")) == []


@pytest.fixture
def birds(save):
    concepts = [{"code": "bird", "concept": [{"code": "songbird", "concept": [{"code": "canary"}, {"code": "finch"}]}, {"code": "parrot"}]}]
    save("CodeSystem", birds={"url": SYSTEM, "content": "complete", "status": "active", "concept": concepts})
    url = "http://x.example/ValueSet"
    save(
        "ValueSet",
        pets={"url": f"{url}/pets", "compose": {"include": [{"system": SYSTEM, "concept": [{"code": "canary"}, {"code": "parrot"}]}]}},
        all={
            "url": f"{url}/all",
            "compose": {"include": [{"system": SYSTEM}], "exclude": [{"system": SYSTEM, "concept": [{"code": "finch"}]}]},
        },
        both={"url": f"{url}/both", "compose": {"include": [{"valueSet": [f"{url}/pets", f"{url}/all"]}]}},
        told={"url": f"{url}/told", "expansion": {"contains": [{"system": SYSTEM, "code": "finch"}]}},
        odd={
            "url": f"{url}/odd",
            "compose": {"include": [{"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "bird"}]}]},
        },
    )


@pytest.mark.parametrize(
    ("name", "value", "ids"),
    [
        ("code:in", "http://x.example/ValueSet/pets", ["one", "three"]),
        ("code:in", "http://x.example/ValueSet/all", ["one", "three"]),
        ("code:in", "http://x.example/ValueSet/both", ["one", "three"]),
        ("code:in", "http://x.example/ValueSet/told", ["two"]),
        ("code:not-in", "http://x.example/ValueSet/pets", ["two", "four"]),
        ("code:below", f"{SYSTEM}|songbird", ["one", "two"]),
        ("code:below", f"{SYSTEM}|bird", ["one", "two", "three"]),
        ("code:below", f"{SYSTEM}|canary", ["one"]),
        ("code:above", f"{SYSTEM}|canary", ["one"]),
    ],
)
def test_codes_are_looked_up_in_the_value_sets_and_code_systems_that_are_stored(clinic, birds, find, name, value, ids):
    assert find("Observation", (name, value)) == ids


@pytest.mark.parametrize(
    ("name", "value"),
    [("code:in", "http://x.example/ValueSet/odd"), ("code:in", "http://x.example/none"), ("code:below", "http://x.example/none|a")],
)
def test_codes_that_cannot_be_looked_up_are_refused(clinic, birds, find, name, value):
    with pytest.raises(Invalid):
        find("Observation", (name, value))


def test_a_compartment_has_what_its_parameters_say_and_no_more(clinic, repository):
    def within(id, *params, type="Observation", owner="Patient"):
        query = search.parse(type, params, within=(owner, id))
        return [row.id for row in search.run(repository.database, query).rows]

    assert within("p") == ["one", "three"]
    assert within("p", ("code", "parrot")) == ["three"]
    assert within("r") == ["four"]
    assert within("d", owner="Practitioner") == ["one"]
    with pytest.raises(NotFound):
        within("p", type="Organization")
    with pytest.raises(NotFound):
        within("p", owner="Organization")


def test_a_reference_that_makes_no_member_does_not_lead_into_a_compartment(save, repository):
    save(
        "Observation",
        about={"focus": [{"reference": "Patient/p"}], "subject": {"reference": "Patient/q"}},
        named={"subject": {"reference": "Patient/q"}, "instantiatesUri": "Patient/p"},
        whose={"subject": {"reference": "Patient/p"}, "focus": [{"reference": "Patient/p"}]},
    )
    found = search.run(repository.database, search.parse("Observation", (), within=("Patient", "p")))
    assert [row.id for row in found.rows] == ["whose"]
    assert [row.id for row in members(repository.database, "Patient", "p", "Observation")] == ["whose"]


def test_a_compartment_holds_by_whatever_key_it_is_searched(save, repository):
    def observed(owner, number):
        return {**coded("canary"), "subject": {"reference": f"Patient/{owner}"}, "identifier": [{"value": number}]}

    save("Observation", mine=observed("ours", "7"), other=observed("theirs", "8"))
    for params in ([("identifier", "8")], [("subject", "Patient/theirs")], [("_id", "other")]):
        query = search.parse("Observation", params, within=("Patient", "ours"))
        assert search.run(repository.database, query).rows == []
