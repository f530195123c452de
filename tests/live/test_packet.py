"""The packet of a story: HL7's validator finds it valid, and a HAPI takes it as a transaction, twice."""

from typing import Any

import pytest

from adapter.access.viewer import Viewer
from adapter.casework.stories import load_story
from adapter.fhir.client import FhirClient
from adapter.packet import forms
from adapter.packet.packet import Asked, Packet, packet
from adapter.packet.transaction import transaction
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.sight import sight_of
from tests.live.conftest import Wire
from tests.live.hapi import Hapi
from tests.live.test_validation import MCC, PACKAGES, unexplained
from tests.live.validator import validate
from tests.packet.scene import SCOPE, to
from tests.sync.test_stories import story


@pytest.fixture
def made(database: Any) -> Packet:
    """What the insurer of river's story gets of her, who agreed."""
    repository = Repository(database)
    case = load_story(repository, story("river")).case
    client = repository.read(*case.split("/")).record["client"]
    [cover, *_] = [each for each in repository.scan("Coverage") if each.raw["beneficiary"] == to(client)]
    insurer = cover.raw["payor"][0]["reference"]
    consent = {"resourceType": "Consent", "status": "active", "scope": SCOPE, "category": [{"text": "privacy"}], "patient": to(client)}
    repository.commit([Change("Consent", "agreed", {**consent, "provision": {"type": "permit"}}, 0)])
    viewer = Viewer("insurer-reader", frozenset((insurer,)), "HPAYMT")
    return packet(repository, sight_of(repository.database, viewer, repository.clock()), Asked(client.partition("/")[2]))


def test_a_packet_is_valid_by_r4_and_by_the_profiles_that_its_resources_claim(made: Packet) -> None:
    bundles = (forms.searchset(made, "https://fhir.example/fhir"), transaction(made.rows))
    # By themselves, and in a Bundle, where references lead somewhere and what they lead to is judged, too.
    raws = [forms.account(made), *(entry["resource"] for bundle in bundles for entry in bundle["entry"]), bundles[0]]
    found = [(f"{raws[each.resource]['resourceType']}/{raws[each.resource].get('id', '')}", each) for each in validate(raws, igs=PACKAGES)]
    claims = {profile for raw in raws for profile in raw.get("meta", {}).get("profile", ())}
    assert claims >= {f"{MCC}/{name}" for name in ("mccCarePlan", "MCCGoal", "MCCCareTeam", "MCCChronCondHealthConcern")}
    assert unexplained(found) == ""


def test_hapi_takes_a_packet_as_a_transaction_and_the_same_again_changes_nothing(made: Packet, hapi_empty: Hapi, wire: Wire) -> None:
    bundle = transaction(made.rows)
    with FhirClient(hapi_empty.url) as client:
        first = client.transaction(bundle)
        assert {each.status for each in first} == {201}
        again = client.transaction(bundle)
        assert {each.status for each in again} == {200}
        assert [(each.type, each.id, each.version) for each in again] == [(each.type, each.id, each.version) for each in first]
        for type in {row.type for row in made.rows}:
            assert client.count(type, {}) == len([row for row in made.rows if row.type == type])
    entry, *_ = wire.get("CarePlan").json()["entry"]
    assert wire.get(entry["resource"]["subject"]["reference"]).status_code == 200
