"""A hospital of 3,923 resources, on a real HAPI: the first sync's account against the server's own, and what each side then changes."""

import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from adapter.fhir.bundle import address
from adapter.fhir.resource import content, same
from adapter.store.verify import verify
from adapter.sync.certificates.certificate import Certificate
from tests.sync.world import World
from tests.sync.world import world as make_world

from .conftest import Wire
from .hapi import Hapi

FOLDER = Path(__file__).parents[2] / "fixtures" / "fhir" / "synthea"
SIZE = 3923
FRESH = {"Cache-Control": "no-cache"}
PATIENCE = 600


@dataclass(frozen=True)
class Synced:
    """Both sides after the first sync, and its certificate."""

    world: World
    first: Certificate
    wire: Wire

    def versions_there(self) -> dict[str, str]:
        """The version of everything at the hospital, asked with plain requests."""
        return {
            f"{raw['resourceType']}/{raw['id']}": raw["meta"]["versionId"] for type in self.first.pulled.expected for raw in self._all(type)
        }

    def _all(self, type: str) -> Iterator[dict[str, Any]]:
        url: str | None = f"{type}?_count=500&_elements=id"
        while url:
            page = self.wire.get(url, headers=FRESH).json()
            yield from (entry["resource"] for entry in page.get("entry", ()))
            url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)

    def versions_here(self) -> dict[str, int]:
        repository = self.world.bridge.repository
        return {stored.reference: stored.version for type in repository.types() for stored in repository.scan(type)}


@pytest.fixture(scope="module")
def synced(hapi: Hapi, store: Any) -> Iterator[Synced]:
    """HAPI with the whole data set and nothing else, pulled into an empty database."""
    if hapi.pid is None:
        pytest.skip("CASEBRIDGE_LIVE_HAPI names a server that is not ours to empty")
    hapi.empty()
    with Wire(hapi.url) as wire:
        wire.post(
            "", data=transaction(), headers={"Content-Type": "application/fhir+json", "Prefer": "return=minimal"}, timeout=PATIENCE
        ).raise_for_status()
        made = make_world(store[f"test_{uuid4().hex}"], hapi.url)
        yield Synced(made, made.sync(), wire)
        made.hospital.close()
    hapi.empty()


def rows(name: str = "*") -> list[str]:
    """The data set, or one type of it, as JSON texts."""
    return [row for path in sorted(FOLDER.glob(f"{name}.ndjson.gz")) for row in gzip.decompress(path.read_bytes()).decode().splitlines()]


def patients() -> list[dict[str, Any]]:
    return [json.loads(row) for row in rows("Patient")]


def transaction() -> bytes:
    """All in one Bundle: everything refers to everything."""
    entries = [f'{{"resource":{row},"request":{{"method":"PUT","url":"{address(json.loads(row))}"}}}}' for row in rows()]
    assert len(entries) == SIZE
    return f'{{"resourceType":"Bundle","type":"transaction","entry":[{",".join(entries)}]}}'.encode()


def test_the_first_account_is_that_of_the_server(synced: Synced) -> None:
    assert synced.first.clean, synced.first.to_json()
    types = [each["type"] for each in synced.wire.get("metadata").json()["rest"][0]["resource"]]
    counted = {type: synced.wire.get(type, params={"_summary": "count"}, headers=FRESH).json()["total"] for type in types}
    there = {type: count for type, count in counted.items() if count}
    assert sum(there.values()) == SIZE
    told = {type: row for type, row, _ in synced.first.rows() if row["remote has"]}
    for column in ("remote has", "fetched", "created"):
        assert {type: row[column] for type, row in told.items()} == there
    assert {type: len(list(synced.world.bridge.repository.scan(type))) for type in there} == there


def test_patients_are_kept_to_the_letter_and_the_store_holds_together(synced: Synced) -> None:
    world = synced.world
    for raw in patients():
        there = world.there(raw)
        here = world.here(raw).raw
        assert [(name, value) for name, value in here.items() if name not in ("id", "meta")] == [
            (name, value) for name, value in there.items() if name not in ("id", "meta")
        ]
    assert [finding for finding in verify(world.bridge.repository) if not finding.note] == []


def test_a_second_sync_writes_nothing_on_either_side(synced: Synced) -> None:
    before = synced.versions_there(), synced.versions_here()
    assert len(before[0]) == SIZE
    second = synced.world.sync()
    assert second.clean
    assert (second.pulled.written, second.pushed.written) == (0, 0)
    assert (synced.versions_there(), synced.versions_here()) == before


@pytest.fixture
def patient(synced: Synced) -> Callable[[int], dict[str, Any]]:
    """A patient of the data set by its place, as it is now at the hospital."""
    return lambda place: synced.world.there(patients()[place])


def test_edits_of_different_elements_merge_and_what_only_they_understand_stays(
    synced: Synced, patient: Callable[[int], dict[str, Any]]
) -> None:
    world, before = synced.world, patient(0)
    unknown = [*before["extension"], {"url": "urn:example:unknown", "extension": [{"url": "a", "valueCode": "Kanarifugl"}]}]
    world.edit_there(before, extension=unknown, maritalStatus={"text": "Kanarifugl"})
    world.edit_here(before, birthDate="1950-11")
    certificate = world.sync()
    assert certificate.clean
    assert (certificate.pulled.total("merge"), certificate.pushed.total("update")) == (1, 1)
    wanted = {**before, "extension": unknown, "maritalStatus": {"text": "Kanarifugl"}, "birthDate": "1950-11"}
    assert same(content(world.there(before)), content(wanted))
    assert same(content(world.here(before).raw), content(wanted))


def test_an_edit_of_the_same_element_waits_for_a_person(synced: Synced, patient: Callable[[int], dict[str, Any]]) -> None:
    world, before = synced.world, patient(1)
    theirs = world.edit_there(before, birthDate="1950-03-03")
    ours = world.edit_here(before, birthDate="1950-02-02")
    for _ in range(2):
        certificate = world.sync()
        assert certificate.holds
        assert not certificate.clean
        assert same(world.there(before), theirs)
        assert world.here(before).version == ours.version
    [(id, conflict)] = world.bridge.conflicts.all()
    assert [(row["path"], row["ours"], row["theirs"]) for row in conflict["rows"]] == [("birthDate", "1950-02-02", "1950-03-03")]
    world.bridge.conflicts.resolve(id, {"*": "ours"}, by="supervisor")
    assert world.sync().clean
    wanted = {**before, "birthDate": "1950-02-02"}
    assert same(content(world.there(before)), content(wanted))
    assert same(content(world.here(before).raw), content(wanted))
    assert (world.sync().pulled.written, world.sync().pushed.written) == (0, 0)
