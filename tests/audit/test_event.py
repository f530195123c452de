"""An AuditEvent is made of facts, and is R4."""

import base64

import pytest

from adapter.audit.event import BREAK_THE_GLASS, CREATED, DELETED, REFUSED, UPDATED, Asker, Told, audit_event
from adapter.fhir.resource import check_structure

AT = "2026-03-02T09:00:00.000Z"
NORTH = Asker("north", organisation="Organization/north", role="insurer-reader", address="192.0.2.7", purpose="HPAYMT")
DANA = Asker("console", "dana", "Practitioner/dana", role="case-manager", purpose="CAREMGT")


def codes(raw, element):
    return [coding["code"] for coding in raw[element]]


@pytest.mark.parametrize(
    ("interaction", "type", "subtypes", "action"),
    [
        ("read", "rest", ["read"], "R"),
        ("search-type", "rest", ["search-type"], "E"),
        ("create", "rest", ["create"], "C"),
        ("delete", "rest", ["delete"], "D"),
        ("$everything", "rest", ["operation", "$everything"], "E"),
        ("api-read", "rest", ["api-read"], "E"),
        ("login", "110114", ["110122", "login"], "E"),
        ("export-file", "110106", ["export-file"], "R"),
        ("break-glass", "110113", ["110127", "break-glass"], "E"),
    ],
)
def test_an_interaction_has_its_codes_and_is_r4(interaction, type, subtypes, action):
    raw = audit_event(interaction, DANA, AT, patients=["Patient/river"], query="name=x", told=Told(["Goal/a"], 1))
    check_structure(raw)
    assert (raw["type"]["code"], codes(raw, "subtype"), raw["action"]) == (type, subtypes, action)


@pytest.mark.parametrize("interaction", ["transaction", "api-create", "console.records-save", "$meta-add", "update"])
def test_what_tells_of_changes_alone_has_their_action_whatever_the_interaction_is(interaction):
    for action in (CREATED, UPDATED, DELETED):
        raw = audit_event(interaction, DANA, AT, writes=action)
        check_structure(raw)
        assert raw["action"] == action


def test_it_says_who_asked_on_whose_behalf_why_and_from_where():
    raw = audit_event("read", NORTH, AT)
    first, behind = raw["agent"]
    assert (first["who"]["identifier"]["value"], first["requestor"], first["network"]["address"]) == ("north", True, "192.0.2.7")
    assert first["policy"] == ["https://casebridge.example/fhir/policy/insurer-reader"]
    assert behind["who"] == {"reference": "Organization/north"}
    assert raw["purposeOfEvent"][0]["coding"][0]["code"] == "HPAYMT"


def test_a_person_comes_before_the_program_that_they_use():
    first, behind = audit_event("read", DANA, AT)["agent"]
    assert (first["who"], first["altId"]) == ({"reference": "Practitioner/dana"}, "dana")
    assert (behind["who"]["identifier"]["value"], behind["requestor"]) == ("console", False)


def test_who_is_not_known_is_nobody_and_still_told_of():
    raw = audit_event("read", Asker(address="192.0.2.7"), AT, outcome=REFUSED, said="401 login")
    check_structure(raw)
    [agent] = raw["agent"]
    assert ("who" in agent, agent["network"]["address"], raw["outcome"], raw["outcomeDesc"]) == (False, "192.0.2.7", "4", "401 login")


def test_it_says_whom_it_is_about_what_was_asked_and_what_was_told():
    told = Told(["CarePlan/a", "Goal/b"], 2, "insurer-reader: payor, opt-in", {"file": "Goal-1.ndjson"})
    raw = audit_event("search-type", NORTH, AT, patients=["Patient/river"], targets=["CarePlan/a/_history/2"], query="status=é", told=told)
    person, target, query, rest = raw["entity"]
    assert (person["what"]["reference"], target["what"]["reference"]) == ("Patient/river", "CarePlan/a/_history/2")
    assert base64.b64decode(query["query"]).decode() == "status=é"
    assert {each["type"]: each["valueString"] for each in rest["detail"]} == {
        "rule": "insurer-reader: payor, opt-in",
        "count": "2",
        "told": "CarePlan/a Goal/b",
        "file": "Goal-1.ndjson",
    }


def test_a_broken_glass_has_a_purpose_of_its_own():
    raw = audit_event("break-glass", DANA, AT, patients=["Patient/river"], purpose=BREAK_THE_GLASS)
    assert raw["purposeOfEvent"][0]["coding"][0]["code"] == "BTG"
