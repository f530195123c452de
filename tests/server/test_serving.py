"""The server on a real socket, asked by our own client."""

import pytest
import requests

from adapter.errors import Forbidden
from adapter.fhir import bundle
from adapter.fhir.client import FhirClient
from server import create_app, listen, running

from .fhir import SYSTEM, patient


@pytest.fixture
def address(repository):
    with running(create_app(repository, max_body=100_000), threads=4) as url:
        yield url


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "casebridge.example", "", "127.0.0.1.attacker.example"])
def test_it_does_not_listen_beyond_loopback(repository, host):
    with pytest.raises(Forbidden), listen(create_app(repository), host, 0):
        pytest.fail("It listens.")


def test_our_own_client_can_do_its_work(address):
    with FhirClient(f"{address}/fhir") as client:
        assert client.capability().transaction
        created = client.create(patient(), if_none_exist=bundle.condition({"identifier": bundle.token(SYSTEM, "1")}))
        again = client.create(patient(), if_none_exist=bundle.condition({"identifier": bundle.token(SYSTEM, "1")}))
        assert (created.id, created.version) == (again.id, again.version)
        client.update({**patient("2"), "id": created.id}, if_match="1")
        client.transaction(bundle.transaction(bundle.create(patient(str(number))) for number in range(10, 60)))
        pages = list(client.search("Patient", {"_count": "20", "_sort": "_lastUpdated", "_lastUpdated": "ge2020"}))
        assert [len(page.entries) for page in pages] == [20, 20, 11]
        assert client.count("Patient", {}) == 51
        client.delete("Patient", created.id, if_match="2")
        versions = [(entry.version, entry.deleted) for entry in client.history("Patient", id=created.id)]
        assert versions == [("3", True), ("2", False), ("1", False)]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused_before_it_is_kept(address, chunked):
    body = b'{"resourceType":"Patient","id":"' + b"x" * 150_000 + b'"}'
    answer = requests.post(f"{address}/fhir/Patient", data=iter([body]) if chunked else body, timeout=10)
    assert answer.status_code == 413
