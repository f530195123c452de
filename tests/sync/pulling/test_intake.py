"""The lines of an export: what becomes of each, what does not add up, and what an export that is out of date must not undo."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from adapter.store.documents import Change
from adapter.sync.edge import with_own_id
from tests.sync.bulk_server import Made, ndjson
from tests.sync.pulling.exporting import SIZE, Scene, exporting, settings


@pytest.fixture
def scene(new_database: Callable[[], Any], database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with exporting(new_database(), database, monkeypatch) as made:
        yield made


def test_deleted_files_delete_here(scene: Scene) -> None:
    scene.export()
    gone = scene.there("Goal")[:4]
    for raw in gone:
        scene.hospital.delete("Goal", raw["id"])
    entries = [{"request": {"method": "DELETE", "url": f"Goal/{raw['id']}"}} for raw in gone]
    strangers = [{"request": {"method": "DELETE", "url": "Goal/never-was-here"}}, {"request": {"method": "DELETE", "url": "Device/1"}}]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries + strangers}
    scene.server.files = [Made("Bundle", ndjson([bundle]), "deleted")]
    certificate = scene.export("last")
    assert certificate.clean
    assert certificate.pulled.total("delete") == 4
    assert sum(stored.deleted for stored in scene.bridge.repository.scan("Goal")) == 4


def test_a_deletion_that_cannot_be_read_does_not_add_up(scene: Scene) -> None:
    scene.export()
    scene.server.files = [
        Made("Bundle", ndjson([{"resourceType": "Bundle", "entry": [{"request": {"method": "DELETE"}}]}, "Kanarifugl"]), "deleted")
    ]
    certificate = scene.export()
    assert not certificate.holds
    assert certificate.pulled.reasons["skip: a line of deletions is none"] == 2


def test_what_the_remote_says_it_could_not_export_is_shown_and_no_cursor_moves(scene: Scene) -> None:
    settings(scene, first_load="export")
    issues = [{"severity": "error", "code": "exception", "diagnostics": "Kanarifugl"}, {"severity": "warning", "code": "incomplete"}]
    scene.server.files.append(Made("OperationOutcome", ndjson([{"resourceType": "OperationOutcome", "issue": issues}]), "error"))
    certificate = scene.pull()
    assert not certificate.holds
    assert certificate.pulled.reasons["skip: the remote's export says error: exception"] == 1
    assert certificate.pulled.reasons["the remote's export says warning: incomplete"] == 1
    assert not list(scene.bridge.state.all("cursors"))
    # What the export lacked comes by search.
    assert scene.pull().clean
    assert len(scene.server.begun) == 1


SHORT: dict[str, Callable[[Scene], Any]] = {
    "another type": lambda scene: {"resourceType": "Basic", "id": "b1"},
    "a broken line": lambda scene: '{"resourceType": "Goal", "id": Kanarifugl}',
    "no id": lambda scene: {**scene.there("Goal")[0], "id": None},
}


@pytest.mark.parametrize("line", SHORT.values(), ids=SHORT.keys())
def test_a_line_that_is_no_resource_of_its_file_does_not_add_up_and_the_others_come(scene: Scene, line: Callable[[Scene], Any]) -> None:
    first = scene.server.files[0]
    scene.server.files[0] = replace(first, text=ndjson([line(scene)]) + first.text, count=6)
    certificate = scene.export()
    assert (certificate.adds_up("Goal"), certificate.adds_up("Patient")) == (False, True)
    assert certificate.pulled.counts["Goal"] == {"create": SIZE, "skip": 1}
    assert [id for id, _ in scene.bridge.state.all("cursors")] == ["hospital:Patient"]
    assert not list(scene.bridge.repository.scan("Basic"))


def test_a_file_with_fewer_lines_than_the_manifest_says_does_not_add_up(scene: Scene) -> None:
    first = scene.server.files[0]
    scene.server.files[0] = replace(first, text=b"".join(first.text.splitlines(keepends=True)[:-1]))
    certificate = scene.export()
    assert (certificate.adds_up("Goal"), certificate.adds_up("Patient")) == (False, True)


def test_a_resource_that_comes_twice_is_kept_once(scene: Scene) -> None:
    first = scene.server.files[0]
    scene.server.files[0] = replace(first, text=first.text + first.text, count=10)
    certificate = scene.export()
    assert certificate.clean
    assert certificate.pulled.counts["Goal"] == {"create": SIZE, "unchanged": 5}


def test_types_that_are_not_wanted_are_not_read(scene: Scene) -> None:
    scene.server.files.append(Made("Device", ndjson([{"resourceType": "Device", "id": "d1"}])))
    certificate = scene.export()
    assert certificate.clean
    assert certificate.pulled.reasons["not asked for: Device"] == 1
    assert scene.server.begun[0]["_type"] == ["Patient,Goal"]
    assert str(len(scene.server.files) - 1) not in scene.files()


def test_what_a_sync_brought_after_the_export_was_made_is_not_undone_by_it(scene: Scene) -> None:
    """An export is left half read; a pull by search brings newer versions and deletions; then the export is read to its end."""
    edited, deleted = scene.there("Goal")[-1], scene.there("Goal")[-2]

    def stop(what: str, done: int, total: int) -> None:
        if what == "export Patient" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.pull(export=True, progress=stop)
    assert scene.pull().clean
    now = scene.hospital.read("Goal", edited["id"])
    scene.hospital.update({**now.raw, "description": {"text": "Kanarifugl, newer"}}, if_match=str(now.version))
    scene.hospital.delete("Goal", deleted["id"])
    assert scene.pull().clean
    before = scene.here()
    certificate = scene.export()
    assert certificate.holds
    assert certificate.pulled.counts["Goal"]["skip"] == 1
    assert scene.here() == before
    assert len(scene.server.begun) == 1


def test_what_was_edited_here_stays_and_goes_out(scene: Scene) -> None:
    scene.export()
    stored = next(iter(scene.bridge.repository.scan("Patient")))
    scene.bridge.repository.commit([Change("Patient", stored.id, {**stored.raw, "birthDate": "1950-11"}, stored.version)])
    assert scene.export().clean
    assert scene.bridge.repository.read("Patient", stored.id).raw["birthDate"] == "1950-11"
    assert scene.bridge.sync("hospital", say=lambda _: None).clean
    assert [raw["birthDate"] for raw in scene.there("Patient") if raw.get("birthDate")] == ["1950-11"]


def test_what_was_born_here_is_recognised_in_an_export(scene: Scene) -> None:
    scene.bridge.repository.commit([Change("Patient", "made-here", {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, 0)])
    assert scene.bridge.sync("hospital", pull=False, say=lambda _: None).clean
    scene.prepare()
    certificate = scene.export()
    assert certificate.clean
    assert len([*scene.bridge.repository.scan("Patient")]) == SIZE + 1


@pytest.mark.parametrize("level", ["system", "Patient"])
def test_what_was_born_in_a_casebridge_keeps_its_id_in_references_though_the_export_has_no_file_of_it(scene: Scene, level: str) -> None:
    doctor = str(uuid4())
    body = {"resourceType": "Practitioner", "name": [{"family": "Kanarifugl"}]}
    made = scene.hospital.create(with_own_id(body, doctor))
    goal = scene.there("Goal")[0]
    scene.hospital.update({**goal, "expressedBy": {"reference": f"Practitioner/{made.id}"}}, if_match=goal["meta"]["versionId"])
    settings(scene, export=level)
    scene.prepare()
    scene.export()
    found = [stored.raw["expressedBy"]["reference"] for stored in scene.bridge.repository.scan("Goal") if "expressedBy" in stored.raw]
    assert found == [f"Practitioner/{doctor}"]
