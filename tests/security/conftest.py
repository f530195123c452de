"""The server that is attacked, with a gate, over a real store and a real socket; and what is in it.

One server for all attacks: what they try must change nothing, and a test of its own looks whether it did.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapter.fhir.jwks import fetch
from adapter.store.documents import Change
from adapter.store.repository import Repository
from tests.server.auth.conftest import app, browser, dana, issuer, site
from tests.server.auth.site import Site, opened

from . import members

__all__ = ["app", "browser", "dana", "issuer", "site"]


@pytest.fixture
def repository(database: Any) -> Repository:
    return Repository(database)


def _of(patient: str, type: str, id: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": type, "id": id, "subject": {"reference": f"Patient/{patient}"}, **more}


def _plan(patient: str, id: str, category: str) -> dict[str, Any]:
    coded = [{"coding": [{"system": "urn:example:category", "code": category}]}]
    goals = [{"reference": f"Goal/goal-{patient}"}]
    return _of(patient, "CarePlan", id, status="active", intent="plan", category=coded, goal=goals)


def _world(patient: str) -> list[dict[str, Any]]:
    """A person with a goal, an observation, a plan of the category that is granted, and one of another."""
    based = {"basedOn": [{"reference": f"CarePlan/open-{patient}"}]}
    return [
        {"resourceType": "Patient", "id": patient, "name": [{"family": "Kanarifugl"}], "identifier": [{"value": patient}]},
        _of(patient, "Goal", f"goal-{patient}", lifecycleStatus="active", description={"text": "Kanarifugl"}),
        _of(patient, "Observation", f"seen-{patient}", status="final", code={"text": "Kanarifugl"}, identifier=[{"value": "7"}], **based),
        _plan(patient, f"open-{patient}", "assess-plan"),
        _plan(patient, f"closed-{patient}", "secret"),
    ]


@pytest.fixture(scope="session")
def target(store: Any, issuer: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The server over two people's records."""
    name = f"test_{uuid4().hex}"
    repository = Repository(store[name])
    raws = [raw for patient in ("ours", "theirs") for raw in _world(patient)]
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in raws])
    with opened(repository, tmp_path_factory.mktemp("target"), issuer, fetch) as made:
        yield made


@pytest.fixture(scope="session")
def payers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server of the insurers keeps its files."""
    return tmp_path_factory.mktemp("payers")


@pytest.fixture(scope="session")
def payers(store: Any, issuer: Any, payers_folder: Path) -> Iterator[Site]:
    """The server over the records of two insurers' members, who see their own."""
    repository = Repository(store[f"test_{uuid4().hex}"])
    members.store(repository)
    with opened(repository, payers_folder, issuer, fetch, limited=True) as made:
        yield made
