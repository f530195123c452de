"""The Group of an insurer's members is seen by that insurer alone, is as current as the coverages, and tells of nobody who is not seen."""

import json
from datetime import timedelta

import pytest

from adapter.access.groups import COVERED_BY, for_one
from adapter.errors import NotFound
from adapter.store.documents import Change
from adapter.sync.exporting.attribution import attributed

from .insurers import asks, consent, coverage, exported, named, reader
from .people import PEOPLE, group, member, of

INSURER = reader("ins")


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in of(id)))
    return scene


@pytest.fixture
def ask(stored):
    return asks(stored, INSURER)


def made(stored, organisation, role="insurer-reader"):
    return attributed(stored.repository, role, f"Organization/{organisation}")


def test_an_insurer_finds_the_group_of_its_members_and_no_other(stored, ask):
    own, other = made(stored, "ins"), made(stored, "other")
    assert made(stored, "ins") == own != other
    assert made(stored, "ins", "new-payer") is made(stored, "ins", "clinician") is None
    assert named(ask("Group")).keys() == {f"Group/{own}"}
    assert json.loads(ask("Group?_summary=count").text)["total"] == 1
    assert ask(f"Group/{own}").status == ask(f"Group/{own}/_history/1").status == 200
    for path in (f"Group/{other}", f"Group/{other}/_history/1", f"Group/{other}/$export", f"Group/{other}/$davinci-data-export"):
        with pytest.raises(NotFound):
            ask(path)
    assert named(asks(stored, reader("other"))("Group")).keys() == {f"Group/{other}"}
    assert named(asks(stored, reader("ins", "clinician"))("Group")) == {}


def test_a_group_that_was_deleted_is_made_again_for_who_is_registered_anew(stored, ask):
    own = made(stored, "ins")
    stored.repository.commit([Change("Group", own, None, 1)])
    assert named(ask("Group")) == {}
    assert made(stored, "ins") == made(stored, "ins") == own
    assert named(ask("Group")).keys() == {f"Group/{own}"}


def test_who_is_in_it_follows_the_coverages_as_time_goes_on(stored, ask, make):
    """Nothing is written between the two exports but the time."""
    own, now = made(stored, "ins"), stored.repository.clock()
    day = (now + timedelta(days=10)).date()
    make(*map(consent, PEOPLE), coverage("river", period={"end": day.isoformat()}), coverage("wren", "other"))
    make(coverage("alma", period={"start": (day + timedelta(days=1)).isoformat()}))
    people = []
    for days in (0, 20):
        stored.repository.clock = lambda days=days: now + timedelta(days=days)
        found = exported(stored, ask(f"Group/{own}/$export"))
        assert found.keys() == exported(stored, ask("Patient/$export")).keys()
        people.append({name for name in found if name.startswith(("Patient/", "Coverage/", "CarePlan/"))})
    assert people == [{f"Patient/{id}", f"Coverage/coverage-{id}", f"CarePlan/plan-{id}"} for id in ("river", "alma")]


def test_of_the_members_that_a_group_names_those_are_told_who_are_seen(stored, ask, make):
    """River agreed; Alma did not; Wren is covered by another."""
    own = for_one(COVERED_BY, "Organization/ins")
    others = [member("alma"), member("wren"), {"entity": {"reference": "Practitioner/nurse-wren"}}]
    text = {"status": "generated", "div": '<div xmlns="http://www.w3.org/1999/xhtml">Kanarifugl</div>'}
    make(group(member("river"), *others, characteristic=[own], quantity=4, text=text))
    make(coverage("river"), coverage("alma"), coverage("wren", "other"), consent("river"), consent("wren"))
    told = [json.loads(ask(path).text) for path in ("Group/g", "Group/g/_history/1")]
    told += [named(ask(path))["Group/g"] for path in ("Group", "Group/g/_history")]
    for raw in told:
        assert raw["member"] == [member("river")]
        assert raw.keys() & {"quantity", "text"} == set()
    for name in ("alma", "wren"):
        assert named(ask(f"Group?member=Patient/{name}")) == {}
        assert named(ask(f"Patient?_id={name}&_has:Group:member:_id=g")) == {}
    assert named(ask("Patient?_id=river&_revinclude=Group:member")).keys() == {"Patient/river"}
    assert {name for name in exported(stored, ask("Group/g/$export")) if name.startswith("Patient/")} == {"Patient/river"}
    make(coverage("river", status="cancelled"))
    assert "member" not in json.loads(ask("Group/g").text)


OWN = for_one(COVERED_BY, "Organization/ins")
ODD = {
    "a characteristic that is no list": {"characteristic": {"exclude": False}},
    "a characteristic that is a text": {"characteristic": "x"},
    "a characteristic that is a number": {"characteristic": 1},
    "characteristics that are texts": {"characteristic": ["Kanarifugl"]},
    "a second characteristic that is a text": {"characteristic": [OWN, "Kanarifugl"]},
    "a value that is a text": {"characteristic": [OWN | {"valueReference": "Organization/ins"}]},
    "a value that is a list": {"characteristic": [OWN | {"valueReference": [OWN["valueReference"]]}]},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_group_of_no_right_shape_is_nobodys_and_stands_in_no_ones_way(stored, ask, make, odd):
    own = made(stored, "ins")
    make(group(member("river"), **ODD[odd]))
    assert named(ask("Group")).keys() == {f"Group/{own}"}
    assert named(ask("Group/_history")).keys() == {f"Group/{own}"}
    with pytest.raises(NotFound):
        ask("Group/g")


@pytest.mark.parametrize(
    "more",
    [
        {"member": {"entity": {"reference": "Patient/river"}}},
        {"member": ["Patient/river", 1, {"entity": "Patient/river"}, {"entity": [1]}]},
        {"member": "Patient/river"},
        {"member": 1},
        {"actual": False, "member": [], "characteristic": [OWN | {"code": "x"}]},
        {"actual": False, "member": [], "characteristic": [OWN | {"code": {"coding": "x"}}]},
        {"actual": False, "member": [], "characteristic": [OWN | {"code": {"coding": [1, {"system": {}, "code": []}]}}]},
    ],
)
def test_of_an_insurers_group_whose_members_have_no_right_shape_nobody_is_told(stored, ask, make, more):
    make(coverage("river"), consent("river"), group(**{"characteristic": [OWN], **more}))
    for path in ("Group/g", "Group/g/_history/1"):
        assert "member" not in json.loads(ask(path).text)
    try:
        begun = ask("Group/g/$export")
    except NotFound:
        assert more.get("actual") is False
        return
    assert exported(stored, begun) == {}


@pytest.mark.parametrize("beneficiary", ["Patient/river", [{"reference": "Patient/river"}], {"reference": 1}])
def test_a_coverage_that_names_nobody_stands_in_no_exports_way(stored, ask, make, beneficiary):
    make(coverage("river"), consent("river"), coverage("alma", beneficiary=beneficiary))
    own = made(stored, "ins")
    # Who sees everything finds that coverage too.
    for found in (exported(stored, ask(f"Group/{own}/$export")), stored.ids(f"Group/{own}/$export")):
        assert [name for name in found if name.startswith("Patient/")] == ["Patient/river"]


@pytest.mark.parametrize(
    "characteristic",
    [
        [],
        [for_one(COVERED_BY, "Organization/other")],
        [for_one(COVERED_BY, "Organization/ins") | {"exclude": True}],
        [for_one(COVERED_BY, "Organization/ins"), for_one(COVERED_BY, "Organization/other")],
        [for_one(COVERED_BY, "https://elsewhere.example/fhir/Organization/ins")],
    ],
)
def test_a_group_that_is_not_for_the_insurer_alone_is_not_seen(stored, ask, make, characteristic):
    make(coverage("river"), consent("river"), group(member("river"), **({"characteristic": characteristic} if characteristic else {})))
    assert named(ask("Group")) == {}
    with pytest.raises(NotFound):
        ask("Group/g")
