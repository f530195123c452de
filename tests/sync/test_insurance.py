"""An insurer with a FHIR server: what is asked of it goes there, and its answer comes back and settles the service."""

import pytest

from adapter.casework import insurance
from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put, read
from adapter.casework.watch import Watch
from adapter.clock import utc_now
from tests.casework.conftest import DANA, person
from tests.casework.shelf import Shelf


@pytest.fixture
def desk(world):
    """A case here whose client agreed that the insurer is told."""
    repository = world.bridge.repository
    person(repository, "dana")
    reference = Shelf(repository).case("alma")
    found = Desk(repository, Actor(DANA), utc_now)
    put(found, "stakeholder", "payer", {"kind": "insurer", "name": "Example Plan"})
    put(found, "coverage", "plan", {"client": "Patient/alma", "status": "active", "payers": ["Organization/payer"], "member_id": "M-1"})
    agreed = {"client": "Patient/alma", "status": "active", "scope": "sharing_payer", "decision": "permit", "performers": ["Patient/alma"]}
    put(found, "consent", "agreed", agreed)
    therapy = {
        "client": "Patient/alma",
        "case": reference,
        "status": "not_started",
        "intent": "order",
        "kind": "therapy",
        "code": {"text": "therapy"},
        "description": "Kanarifugl's therapy",
        "performers": ["Organization/payer"],
        "medical_necessity": {"determination": "necessary"},
        "authorisation_required": "yes",
    }
    put(found, "planned_service", "therapy", therapy)
    return found


def test_a_response_of_the_insurer_s_server_is_pulled_and_settles_the_service(world, desk):
    """C-22, B-04"""
    asked = insurance.ask_authorisation(desk, "ServiceRequest/therapy")
    assert world.sync().clean
    request = asked.fields["preauthorisation"]
    there = desk.repository.read(*request.split("/")).link("hospital").reference
    claim = world.hospital.read(*there.split("/")).raw
    answer = {
        "resourceType": "ClaimResponse",
        "status": "active",
        "use": "preauthorization",
        "type": claim["type"],
        "patient": claim["patient"],
        "created": utc_now().date().isoformat(),
        "insurer": claim["insurer"],
        "request": {"reference": there},
        "outcome": "complete",
        "preAuthRef": "A-77",
        "preAuthPeriod": {"end": "2099-12-31"},
    }
    written = world.hospital.create(answer)
    assert world.sync().clean
    Watch(desk.repository).look()
    settled = read(desk.repository, "authorisation", asked.id)
    assert settled.fields.items() >= {"status": "approved", "number": "A-77", "service": "ServiceRequest/therapy"}.items()
    assert read(desk.repository, "planned_service", "therapy").fields["insurance"] == [asked.reference]
    assert world.sync().clean
    assert Watch(desk.repository).look().tasks == 0
    assert read(desk.repository, "authorisation", asked.id) == settled
    assert world.hospital.read("ClaimResponse", written.id).version == written.version
