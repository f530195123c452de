"""A server that exports, asked through Flask's test client; what is asked for is written when a test says so."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.exporting.exports import Export, Exports
from adapter.sync.exporting.turns import task
from adapter.sync.workers import jobs
from server import create_app

from ..fhir import Fhir

Files = dict[tuple[str, str], list[dict[str, Any]]]
ASYNC = {"Prefer": "respond-async"}


@dataclass
class Scene:
    """The server, and the process that writes exports."""

    fhir: Fhir
    repository: Repository
    root: Path

    def kick_off(self, path: str = "$export", body: Any = None, **more: str) -> TestResponse:
        return self.fhir.send("POST" if body else "GET", path, body, **{**ASYNC, **more})

    def write(self) -> None:
        """Write what is asked for, to its end."""
        state = State(self.repository.database)
        for id, _ in [*state.all("jobs", {"task": "export", "status": "waiting"})]:
            jobs.perform(task(self.root), Repository(self.repository.database, self.repository.clock), id)

    def status(self, begun: TestResponse, **headers: str) -> TestResponse:
        assert begun.status_code == 202, begun.text
        return self.fhir.send("GET", below(begun.headers["Content-Location"]), **headers)

    def manifest(self, path: str = "$export", body: Any = None, **more: str) -> dict[str, Any]:
        """What an export comes to."""
        begun = self.kick_off(path, body, **more)
        self.write()
        answer = self.status(begun)
        assert answer.status_code == 200, answer.text
        return answer.json

    def lines(self, file: dict[str, Any], **headers: str) -> list[dict[str, Any]]:
        answer = self.fhir.send("GET", below(file["url"]), Accept="application/fhir+ndjson", **headers)
        assert (answer.status_code, answer.content_type) == (200, "application/fhir+ndjson"), answer.text
        return [json.loads(line) for line in answer.data.splitlines()]

    def exported(self, path: str = "$export", body: Any = None, **more: Any) -> Files:
        """The content of an export's files, by kind and type."""
        told, found = self.manifest(path, body, **more), Files()
        for kind in ("output", "deleted", "error"):
            for file in told[kind]:
                several = self.lines(file)
                assert len(several) == file["count"]
                found.setdefault((kind, file["type"]), []).extend(several)
        return found

    def ids(self, path: str = "$export", body: Any = None, **more: Any) -> set[str]:
        """Type/id of all resources of an export, each of which is there once."""
        files = self.exported(path, body, **more)
        found = [f"{type}/{raw['id']}" for (kind, type), several in files.items() for raw in several if kind == "output"]
        assert len(found) == len(set(found))
        return set(found)


def below(url: str) -> str:
    """The path of an address of the server under its FHIR endpoint."""
    return url.partition("/fhir/")[2]


@pytest.fixture
def scene(database: Any, tmp_path: Path) -> Scene:
    root = tmp_path / "exports"
    repository = Repository(database)
    return Scene(Fhir(create_app(repository, exports=root).test_client()), repository, root)


@pytest.fixture
def piecemeal(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, Callable[[], Any]], list[Export]]:
    """Has exports written in pieces of one resource, and something happen when so many places are kept; the places."""

    def between(number: int, act: Callable[[], Any]) -> list[Export]:
        put, places = Exports.put, list[Export]()

        def kept(self: Exports, before: Export, after: Export, session: Any = None) -> Export:
            if session:
                # It is whole: that is no place.
                return put(self, before, after, session)
            places.append(after)
            if len(places) == number:
                act()
            return put(self, before, after)

        monkeypatch.setattr(Exports, "put", kept)
        monkeypatch.setattr("adapter.sync.exporting.write._NAMED", 1)
        return places

    return between


@pytest.fixture
def make(scene: Scene) -> Callable[..., None]:
    """Stores resources, new or not."""

    def made(*several: dict[str, Any]) -> None:
        old = [scene.repository.find(raw["resourceType"], raw["id"]) for raw in several]
        changes = [Change(raw["resourceType"], raw["id"], raw, was.version if was else 0) for raw, was in zip(several, old, strict=True)]
        scene.repository.commit(changes)

    return made
