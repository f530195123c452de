"""What crosses the edge outward comes back inward as it was."""

import pytest

from adapter.config import OWN_ID
from adapter.sync.edge import Edge, own_id, with_own_id, without_own_id
from adapter.sync.pushing.order import circles
from adapter.sync.remotes.remote import Remote

REMOTE = Remote("hospital", "http://127.0.0.1:9/fhir")
RESOURCES = [
    {"resourceType": "Patient", "identifier": [{"system": "urn:x", "value": "1"}]},
    {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]},
    {"resourceType": "QuestionnaireResponse", "identifier": {"system": "urn:x", "value": "1"}, "status": "completed"},
    {"resourceType": "Provenance", "meta": {"tag": [{"system": "s", "code": "t"}], "profile": ["p"]}},
]


@pytest.mark.parametrize("raw", RESOURCES)
def test_identity_is_carried_and_taken_off_again(raw):
    carrying = with_own_id(raw, "abc")
    assert own_id(carrying) == "abc"
    assert own_id(raw) is None
    assert without_own_id(carrying) == raw
    assert with_own_id(carrying, "abc") is carrying


@pytest.mark.parametrize("raw", RESOURCES)
def test_a_resource_comes_back_as_it_went(raw):
    edge = Edge(REMOTE, {})
    there = {**edge.to_remote(raw, "abc", lambda reference: reference), "id": "77"}
    there["meta"] = {**there.get("meta", {}), "versionId": "1", "lastUpdated": "2025-01-01T00:00:00Z", "source": "#x"}
    assert edge.to_local(there) == raw


def test_references_get_the_ids_that_their_targets_will_have():
    edge = Edge(REMOTE, {"Patient/1": "ours"})
    raw = {"resourceType": "Goal", "subject": {"reference": "Patient/1"}, "addresses": [{"reference": "Condition/2"}]}
    local = edge.to_local({**raw, "id": "3"})
    assert local["subject"]["reference"] == "Patient/ours"
    assert local["addresses"][0]["reference"] == f"Condition/{edge.local_id('Condition/2')}"


def test_references_with_the_remotes_own_address_are_relative_here_and_others_stay():
    edge = Edge(REMOTE, {})
    raw = {"resourceType": "Goal", "id": "3", "subject": {"reference": "http://127.0.0.1:9/fhir/Patient/1"}}
    assert edge.to_local(raw)["subject"]["reference"] == f"Patient/{edge.local_id('Patient/1')}"
    for other in ("http://elsewhere/fhir/Patient/1", "urn:uuid:0", "#contained"):
        assert edge.to_local({**raw, "subject": {"reference": other}})["subject"]["reference"] == other


def test_ids_of_what_is_born_there_depend_on_its_address_alone():
    same, other = Remote("clinic", REMOTE.url), Remote("hospital", "http://127.0.0.1:9/other")
    assert Edge(REMOTE, {}).local_id("Patient/1") == Edge(same, {}).local_id("Patient/1")
    assert Edge(REMOTE, {}).local_id("Patient/1") != Edge(other, {}).local_id("Patient/1")


def test_what_is_referred_to_comes_first_and_circles_stay_together():
    graph = {"plan": ["order", "client"], "order": ["plan", "client"], "client": [], "goal": ["client"], "note": ["goal", "plan"]}
    groups = [sorted(group) for group in circles(graph)]
    assert ["order", "plan"] in groups
    place = {name: index for index, group in enumerate(groups) for name in group}
    assert all(place[to] <= place[name] for name, leads in graph.items() for to in leads)


def test_the_identifier_system_is_ours_alone():
    assert OWN_ID.startswith("https://casebridge.example/")
