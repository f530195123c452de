"""A database with some of everything that casebridge keeps, and the way to another one by a backup."""

from pathlib import Path
from typing import Any

import pytest

from adapter.backup.archive import Manifest
from adapter.backup.copy import back_up
from adapter.backup.restore import restore
from adapter.store.documents import CURRENT, Change, Link
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote

KEY = bytes(range(32))
PATIENT = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "gender": "female"}


def basic(text: str) -> dict[str, Any]:
    """A small resource."""
    return {"resourceType": "Basic", "code": {"text": text}, "subject": {"reference": "Patient/a"}}


@pytest.fixture
def filled(database) -> Repository:
    """A remote that is owed something, a link, old versions, a deletion, a card, a claim to be told, a client, and who is logged in."""
    Bridge(database).remotes.add(Remote("hospital", "http://127.0.0.1:9/fhir"))
    repository = Repository(database)
    coverage = {"status": "active", "beneficiary": {"reference": "Patient/a"}, "payor": [{"reference": "Organization/north"}]}
    repository.commit(
        [
            Change("Patient", "a", PATIENT, 0, links=(Link("hospital", "Patient/17", "3", CURRENT),)),
            Change("Coverage", "c", {"resourceType": "Coverage", **coverage}, 0),
            Change("Organization", "north", {"resourceType": "Organization", "name": "North"}, 0),
            Change("Basic", "gone", basic("gone"), 0),
        ]
    )
    repository.commit([Change("Patient", "a", {**PATIENT, "gender": "other"}, 1), Change("Basic", "gone", None, 1)])
    repository.commit([Change("Basic", f"b{number}", basic(f"number {number}"), 0) for number in range(30)])
    state = State(database)
    state.put("clients", "north", {"role": "insurer-reader"})
    state.put("tokens", "0" * 64, {"client": "north"})
    return repository


@pytest.fixture
def many(database) -> Repository:
    """Enough for several transactions."""
    repository = Repository(database)
    repository.commit([Change("Patient", "a", PATIENT, 0)])
    for start in range(0, 1800, 300):
        repository.commit([Change("Basic", f"b{number}", basic(f"number {number}"), 0) for number in range(start, start + 300)])
    return repository


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the backup goes."""
    return tmp_path / "a.backup"


def through(source: Any, file: Path, target: Any, key: bytes | None = None, **options: Any) -> Manifest:
    """Back up one database and restore it as another."""
    made = back_up(source, file, key)
    with file.open("rb") as opened:
        assert restore(target, opened, key, **options) == made
    return made
