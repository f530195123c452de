"""A server that asks everybody who they are, and what its account says of them."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapter.audit.codes import DETAILS
from adapter.audit.event import TYPE
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from server.auth.principal import Principal
from tests.server.auth.conftest import browser, issuer
from tests.server.auth.site import Site, opened
from tests.server.auth.test_members import record

__all__ = ["browser", "issuer"]

AUDITED = Principal("kept", "auditor", "system/*.rs")
INSURER = Principal("insurer", "insurer-reader", "system/*.rs", organisation="Organization/ins", purpose="HPAYMT")


@dataclass
class World:
    """The server and its store; `exports` is the folder of its exports."""

    site: Site
    repository: Repository
    exports: Path


@pytest.fixture(scope="session")
def world(store: Any, issuer: Keys, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One server for all: it has members of two insurers; dana is a case manager of nobody."""
    repository, folder = Repository(store[f"test_{uuid4().hex}"]), tmp_path_factory.mktemp("accounted")
    raws = [*record("river", "ins"), *record("alma", "other")]
    for raw in raws:
        if raw["resourceType"] == "Patient":
            raw["identifier"] = [{"system": "urn:example:mrn", "value": f"number-of-{raw['id']}"}, {"value": "number-of-both"}]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])
    repository.commit([Change("Practitioner", "dana", {"resourceType": "Practitioner", "name": [{"family": "Kanarifugl"}]}, 0)])
    with opened(repository, folder, issuer, fetch, limited=True, site=frozenset(("Organization/city",))) as made:
        yield World(made, repository, folder / "exports")


@pytest.fixture
def repository(world: World) -> Repository:
    return world.repository


@pytest.fixture
def site(world: World) -> Site:
    return world.site


@pytest.fixture
def token(site: Site) -> Callable[[Principal], str]:
    """A token for somebody."""
    return lambda principal: site.gate.registers.tokens.issue(principal)


@pytest.fixture
def told(repository: Repository) -> Callable[[], list[dict[str, Any]]]:
    """What the account says since the test began, or it was last asked: of each AuditEvent what tests look at.

    In order: requests that come one after the other have one writer.
    """
    known = {each["_id"] for each in repository.database[TYPE].find({}, {"_id": 1})}

    def new() -> list[dict[str, Any]]:
        found = [each for each in repository.database[TYPE].find() if each["_id"] not in known]
        known.update(each["_id"] for each in found)
        return [_facts(Stored.of(each).raw) for each in sorted(found, key=lambda each: (each["fhir"]["updated"], each["chain"]["number"]))]

    return new


def _facts(raw: dict[str, Any]) -> dict[str, Any]:
    entities = raw.get("entity", ())
    named = [each["what"]["reference"] for each in entities if "what" in each]
    details = {each["type"]: each["valueString"] for entity in entities for each in entity.get("detail", ())}
    assert details.keys() <= DETAILS.keys(), "what it says can be looked up"
    query = next((base64.b64decode(each["query"]).decode() for each in entities if "query" in each), None)
    return {
        "name": raw["subtype"][-1]["code"],
        "action": raw["action"],
        "outcome": raw["outcome"],
        "said": raw.get("outcomeDesc"),
        "patients": {each for each in named if each.startswith("Patient/")},
        "named": {each for each in named if not each.startswith("Patient/")},
        "query": query,
        "details": details,
        "agents": raw["agent"],
        "purpose": [each["coding"][0]["code"] for each in raw.get("purposeOfEvent", ())],
    }
