"""The forms of a packet: valid FHIR, the resources as they are stored, and a transaction that leads nowhere out of itself."""

from datetime import UTC, datetime

import pytest

from adapter.config import OWN_ID
from adapter.fhir.references import walk
from adapter.fhir.resource import check_structure, parse
from adapter.packet import forms
from adapter.packet.packet import Asked, packet
from adapter.packet.reach import named
from adapter.packet.transaction import transaction
from adapter.store.repository import Repository
from server.fhir.messages import Request
from server.fhir.routes import endpoint

from .scene import SEEN, change, insurers_sight, plan, to

BASE = "https://fhir.example/fhir"
NOW = Asked("river", datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture
def made(repository):
    return packet(repository, insurers_sight(repository), NOW)


def values(account, name):
    return [{key: value for key, value in each.items() if key != "name"} for each in account["parameter"] if each["name"] == name]


def parts(account, name):
    """By the first part's value, the others."""
    return [
        {part["name"]: next(value for key, value in part.items() if key != "name") for part in each["part"]}
        for each in values(account, name)
    ]


def test_the_account_says_of_whom_by_what_and_what_is_missing(made):
    told = forms.account(made)
    check_structure(told)
    assert values(told, "member") == [{"valueReference": {"reference": "Patient/river"}}]
    assert values(told, "coverage") == [{"valueReference": {"reference": "Coverage/cover"}}]
    assert values(told, "period") == [{"valuePeriod": {"start": "2025-01-01T00:00:00.000Z", "end": "2025-12-31T23:59:59.999Z"}}]
    assert values(told, "purpose") == [{"valueCode": "HPAYMT"}]
    assert values(told, "asOf") == [{"valueInstant": "2025-04-22T12:00:00.000Z"}]
    assert {"basis": "consent", "consent": to("Consent/yes"), "element": "Consent.provision", "count": 11} in parts(told, "decision")
    assert {"rule": "type", "type": "Flag", "count": 1} in parts(told, "withheld")
    assert {"rule": "sensitive"} in parts(told, "withheld")


def test_a_searchset_has_the_plans_as_matches_and_each_resource_as_it_is_stored(made, repository):
    found = forms.searchset(made, BASE)
    check_structure(found)
    assert found["total"] == 1
    assert [entry["resource"]["id"] for entry in found["entry"] if entry["search"]["mode"] == "match"] == ["now"]
    assert {entry["fullUrl"].removeprefix(f"{BASE}/") for entry in found["entry"]} == SEEN
    stored = repository.read("CarePlan", "now")
    assert found["entry"][0]["resource"] == stored.raw


def test_lines_are_the_account_and_the_resources(made):
    first, *rest = forms.lines(made)
    assert parse(first) == forms.account(made)
    assert [parse(line)["id"] for line in rest] == [row.id for row in made.rows]


def test_a_transaction_s_references_stay_inside_or_only_name_what_they_mean(made):
    found = transaction(made.rows)
    check_structure(found)
    urls = {entry["fullUrl"] for entry in found["entry"]}
    assert len(urls) == len(made.rows)
    assert {reference["reference"] for entry in found["entry"] for reference in walk(entry["resource"])} <= urls
    [plan] = [entry["resource"] for entry in found["entry"] if entry["resource"]["resourceType"] == "CarePlan"]
    assert plan["supportingInfo"][0] == {"type": "Condition", "identifier": {"system": OWN_ID, "value": "low"}}
    assert not any("id" in entry["resource"] for entry in found["entry"])


def test_references_to_elsewhere_and_to_what_is_contained_are_kept_as_they_can_be(repository):
    elsewhere = {"reference": "https://other.example/fhir/Goal/1", "display": "note (Kanarifugl)"}
    known = {"reference": "Goal/none", "identifier": {"value": "7"}}
    contained = [
        {
            "resourceType": "Goal",
            "id": "in",
            "lifecycleStatus": "active",
            "description": {"text": "note (Kanarifugl)"},
            "subject": to("Patient/river"),
        }
    ]
    raw = plan(start="2025-01-01", goal=[elsewhere, known, to("#in")], contained=contained)
    repository.commit([change("CarePlan/now", raw, 1)])
    found = transaction(packet(repository, insurers_sight(repository), NOW).rows)
    [body] = [entry["resource"] for entry in found["entry"] if entry["resource"]["resourceType"] == "CarePlan"]
    assert body["goal"] == [
        {"identifier": {"system": "urn:ietf:rfc:3986", "value": elsewhere["reference"]}, "display": elsewhere["display"]},
        {"type": "Goal", "identifier": {"value": "7"}},
        to("#in"),
    ]


def test_what_was_born_in_another_casebridge_keeps_the_id_that_it_has_there(repository):
    born = [{"system": OWN_ID, "value": "born-there"}]
    repository.commit([change("CarePlan/now", plan(start="2025-01-01", identifier=born), 1)])
    found = transaction(packet(repository, insurers_sight(repository), NOW).rows)
    [entry] = [entry for entry in found["entry"] if entry["resource"]["resourceType"] == "CarePlan"]
    assert entry["resource"]["identifier"] == born
    assert entry["request"]["url"].endswith("id%7Cborn-there")


def test_another_server_takes_a_transaction_once_and_a_later_one_brings_it_up_to_date(made, repository, new_database, tmp_path):
    """Another casebridge, that refuses references which lead nowhere."""
    there = Repository(new_database())
    answer = endpoint(there, tmp_path, integrity=True)

    def take(packet):
        body = transaction(packet.rows)
        return parse(answer(Request("POST", "", "http://there/fhir", headers={}, body=body, integrity=True)).text)["entry"]

    for status in ("201", "200"):
        assert {entry["response"]["status"][:3] for entry in take(made)} == {status}
    types = {named(row).partition("/")[0] for row in made.rows}
    assert {type: len(list(there.scan(type))) for type in types} == {
        type: len([row for row in made.rows if row.type == type]) for type in types
    }
    assert {stored.version for type in types for stored in there.scan(type)} == {1}
    [goal] = there.scan("Goal")
    [patient] = there.scan("Patient")
    [told] = there.scan("CarePlan")
    assert goal.raw["subject"] == told.raw["subject"] == {"reference": f"Patient/{patient.id}"}
    repository.commit([change("CarePlan/now", {**repository.read("CarePlan", "now").raw, "status": "completed"}, 1)])
    take(packet(repository, insurers_sight(repository), NOW))
    [told] = there.scan("CarePlan")
    assert (told.version, told.raw["status"]) == (2, "completed")
