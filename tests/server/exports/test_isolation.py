"""An export of somebody of limited sight holds what a search of theirs finds, as of each piece."""

import json
from datetime import timedelta

import pytest

from adapter.access.viewer import Viewer
from adapter.clock import instant
from adapter.errors import NotFound
from adapter.sync.exporting import files
from adapter.sync.exporting.exports import Exports

from .insurers import asks, consent, coverage, exported, named, reader
from .people import PEOPLE, of


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in (*of(id), consent(id), coverage(id, payer="other" if id == "wren" else "ins"))))
    make({"resourceType": "Organization", "id": "ins", "name": "Kanarifugl"})
    return scene


@pytest.fixture
def ask(stored):
    return asks(stored, reader("ins"))


def test_a_group_that_only_a_broken_glass_shows_is_not_there_to_be_exported(stored, make):
    """The export would not see it: it is refused when it is asked for, and not when it is to be read."""
    make({"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": [{"entity": {"reference": "Patient/river"}}]})
    nurse = Viewer("clinician", frozenset(("Practitioner/new",)), "BTG", glass=frozenset(("Patient/river",)))
    ask = asks(stored, nurse)
    assert "Patient/river" in ask("Group/g").text
    with pytest.raises(NotFound):
        ask("Group/g/$export")
    assert [*Exports(stored.repository).all()] == []


def found(ask, types):
    """What searches find."""
    return {name: raw for type in types for name, raw in named(ask(f"{type}?_count=100")).items()}


def test_it_holds_what_searches_find_and_nothing_else(stored, ask):
    begun = ask("$export")
    held = exported(stored, begun)
    assert held == found(ask, stored.repository.types())
    assert {"Patient/river", "Patient/alma", "CarePlan/plan-river"} <= held.keys()
    assert {name for name in held if name.endswith("wren")} == {"Practitioner/nurse-wren", "PractitionerRole/role-wren"}
    assert json.loads(ask(begun.location).text)["requiresAccessToken"] is True


def test_of_people_it_holds_nothing_of_those_who_are_not_seen(stored, ask):
    held = exported(stored, ask("Patient/$export"))
    assert held.items() <= found(ask, stored.repository.types()).items()
    assert {"Patient/river", "CarePlan/plan-alma", "Coverage/coverage-river"} <= held.keys()


def test_what_is_not_to_be_seen_any_more_is_in_no_piece_that_follows(stored, ask, make, piecemeal):
    begun = ask("$export?_type=Patient,CarePlan")
    places = piecemeal(5, lambda: make(coverage("alma", status="cancelled"), coverage("river", status="cancelled")))
    held = exported(stored, begun)
    assert len(places) > 5
    before = sum(made.count for made in places[4].files)
    assert 0 < len(held) == before < 4


def test_it_is_for_the_insurer_alone(stored, ask):
    begun = ask("$export?_type=Patient")
    stored.write()
    answer = stored.fhir.send("GET", begun.location)
    assert answer.status_code == 404
    assert ask(begun.location).status == 200


def test_the_insurer_is_told_of_deletions_in_the_record_of_a_member_and_of_no_other(stored, ask):
    clock = stored.repository.clock
    since = instant(clock() + timedelta(minutes=30))
    stored.repository.clock = lambda: clock() + timedelta(hours=1)
    for id in PEOPLE:
        stored.fhir.send("DELETE", f"CarePlan/plan-{id}")
    for path in ("$export", "Patient/$export"):
        begun = ask(f"{path}?_since={since}&_type=CarePlan")
        stored.write()
        [export] = [each for each in Exports(stored.repository).all() if each.id in begun.location]
        told = [json.loads(line) for made in export.files if made.kind == "deleted" for line in files.lines(stored.root, export, made)]
        urls = sorted(bundle["entry"][0]["request"]["url"] for bundle in told)
        assert urls == ["CarePlan/plan-alma", "CarePlan/plan-river"]
