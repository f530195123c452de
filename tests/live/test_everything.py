"""`Patient/$everything` here and on a real HAPI, of the same data: the same resources."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from adapter.fhir.resource import Raw, dumps, parse
from adapter.store.compartments import references
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server import create_app

from .conftest import Wire

FOLDER = Path(__file__).parents[2] / "fixtures" / "fhir" / "synthea"
PATIENTS = 3


def patients_of(raw: Raw) -> set[str]:
    """The ids of the patients whom a resource names or is."""
    named = {id for type, id in references(dumps(raw)) if type == "Patient"}
    return named | {raw["id"]} if raw["resourceType"] == "Patient" else named


@pytest.fixture(scope="module")
def data() -> list[Raw]:
    """All of some patients, behind what belongs to nobody."""
    every = [parse(line) for path in sorted(FOLDER.glob("*.gz")) for line in gzip.decompress(path.read_bytes()).splitlines()]
    chosen = set([raw["id"] for raw in every if raw["resourceType"] == "Patient"][:PATIENTS])
    return sorted((raw for raw in every if patients_of(raw) <= chosen), key=lambda raw: bool(patients_of(raw)))


@pytest.fixture
def ours(database: Any, data: list[Raw]) -> FlaskClient:
    repository = Repository(database)
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in data])
    return create_app(repository).test_client()


@pytest.fixture
def theirs(wire: Wire, data: list[Raw]) -> Wire:
    entries = [{"resource": raw, "request": {"method": "PUT", "url": f"{raw['resourceType']}/{raw['id']}"}} for raw in data]
    bundle = dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries})
    wire.post("", data=bundle, headers={"Content-Type": "application/fhir+json"}, timeout=300).raise_for_status()
    return wire


def found(get: Callable[[str], Any], url: str | None) -> Iterator[str]:
    while url:
        page = get(url)
        yield from (f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in page.get("entry", ()))
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)


def test_the_record_of_a_patient_is_the_same_here_and_on_hapi(ours: FlaskClient, theirs: Wire, data: list[Raw]) -> None:
    for patient in [raw["id"] for raw in data if raw["resourceType"] == "Patient"]:
        here = [*found(lambda url: ours.get(url).json, f"/fhir/Patient/{patient}/$everything?_count=50")]
        there = [*found(lambda url: theirs.get(url).json(), f"Patient/{patient}/$everything?_count=500")]
        assert len(here) == len(set(here)) > 50
        assert set(here) == set(there)
