import pytest

from adapter.errors import RemoteFatal
from adapter.fhir.capability import Capability
from adapter.fhir.resource import Raw
from tests.fhir.conftest import Recorded


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0"}, "speaks FHIR 5.0.0"),
        ({"resourceType": "CapabilityStatement", "fhirVersion": "4.3.0"}, "speaks FHIR 4.3.0"),
        ({"resourceType": "CapabilityStatement"}, "of an unnamed version"),
        ({"resourceType": "Conformance", "fhirVersion": "1.0.2"}, "not a CapabilityStatement"),
        ({}, "not a CapabilityStatement"),
    ],
)
def test_a_server_that_does_not_speak_r4_is_refused(raw: Raw, said: str) -> None:
    with pytest.raises(RemoteFatal, match=said):
        Capability.of(raw)


def test_a_server_that_says_little_is_taken_to_do_nothing() -> None:
    capability = Capability.of({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": [{"mode": "client"}]})
    assert not capability.transaction
    assert not capability.history
    assert not capability.supports("Patient", "read")
    assert not capability.conditional_create("Patient")
    assert capability.search_params("Patient") == frozenset()
    assert capability.software == ""


def test_search_parameters_of_all_types_are_those_of_each() -> None:
    types = [{"type": "Patient", "searchParam": [{"name": "identifier"}]}]
    rest = [{"mode": "server", "searchParam": [{"name": "_lastUpdated"}], "resource": types}]
    capability = Capability.of({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "rest": rest})
    assert capability.search_params("Patient") == {"identifier", "_lastUpdated"}


def test_hapi_s_abilities_are_read_from_its_metadata(recorded: Recorded) -> None:
    capability = recorded.client.capability()
    assert (capability.fhir_version, capability.software) == ("4.0.1", "HAPI FHIR Server 8.8.0")
    assert capability.supports("Patient", "history-type")
    assert not capability.supports("Nothing", "read")
    assert capability.conditional_create("CarePlan")
    assert {"identifier", "_lastUpdated"} <= capability.search_params("Patient")
    assert capability.transaction
    assert capability.history
