"""An export of somebody of limited sight holds what a search of theirs finds, as of each piece."""

import json
from datetime import timedelta
from urllib.parse import parse_qsl

import pytest

from adapter.access.viewer import Viewer
from adapter.clock import instant
from adapter.store.sight import sight_of
from adapter.sync.exporting import files
from adapter.sync.exporting.exports import Exports
from server.fhir.messages import Request
from server.fhir.routes import endpoint

from .people import PEOPLE, of

BASE = "http://localhost/fhir"
HL7 = "http://terminology.hl7.org/CodeSystem"
INSURER = Viewer("insurer-reader", frozenset(("Organization/ins",)), "HPAYMT")


def coverage(id, payer="ins", status="active"):
    return {
        "resourceType": "Coverage",
        "id": f"coverage-{id}",
        "status": status,
        "beneficiary": {"reference": f"Patient/{id}"},
        "payor": [{"reference": f"Organization/{payer}"}],
    }


def consent(id):
    return {
        "resourceType": "Consent",
        "id": f"consent-{id}",
        "status": "active",
        "scope": {"coding": [{"system": f"{HL7}/consentscope", "code": "patient-privacy"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
        "patient": {"reference": f"Patient/{id}"},
        "policyRule": {"coding": [{"system": f"{HL7}/v3-ActCode", "code": "OPTIN"}]},
    }


@pytest.fixture
def stored(scene, make):
    make(*(raw for id in PEOPLE for raw in (*of(id), consent(id), coverage(id, payer="other" if id == "wren" else "ins"))))
    make({"resourceType": "Organization", "id": "ins", "name": "Kanarifugl"})
    return scene


@pytest.fixture
def ask(stored):
    """Asks as the insurer."""
    answer = endpoint(stored.repository, stored.root)

    def ask(path, method="GET"):
        path, _, query = path.partition("?")
        sight = sight_of(stored.repository.database, INSURER, stored.repository.clock())
        return answer(Request(method, path, BASE, parse_qsl(query), {"prefer": "respond-async"}, sight=sight))

    return ask


def found(ask, types):
    """What searches find."""
    entries = [entry for type in types for entry in json.loads(ask(f"{type}?_count=100").text).get("entry", ())]
    return {f"{entry['resource']['resourceType']}/{entry['resource']['id']}": entry["resource"] for entry in entries}


def exported(stored):
    """What the one export holds."""
    [export] = Exports(stored.repository).all()
    assert export.finished
    lines = [json.loads(line) for made in export.files for line in files.lines(stored.root, export, made)]
    named = {f"{raw['resourceType']}/{raw['id']}": raw for raw in lines}
    assert len(named) == len(lines)
    return named


def test_it_holds_what_searches_find_and_nothing_else(stored, ask):
    begun = ask("$export")
    stored.write()
    held = exported(stored)
    assert held == found(ask, stored.repository.types())
    assert {"Patient/river", "Patient/alma", "CarePlan/plan-river"} <= held.keys()
    assert {name for name in held if name.endswith("wren")} == {"Practitioner/nurse-wren", "PractitionerRole/role-wren"}
    assert json.loads(ask(begun.location).text)["requiresAccessToken"] is True


def test_of_people_it_holds_nothing_of_those_who_are_not_seen(stored, ask):
    ask("Patient/$export")
    stored.write()
    held = exported(stored)
    assert held.items() <= found(ask, stored.repository.types()).items()
    assert {"Patient/river", "CarePlan/plan-alma", "Coverage/coverage-river"} <= held.keys()


def test_what_is_not_to_be_seen_any_more_is_in_no_piece_that_follows(stored, ask, make, piecemeal):
    ask("$export?_type=Patient,CarePlan")
    places = piecemeal(5, lambda: make(coverage("alma", status="cancelled"), coverage("river", status="cancelled")))
    stored.write()
    assert len(places) > 5
    before = sum(made.count for made in places[4].files)
    assert 0 < len(exported(stored)) == before < 4


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
