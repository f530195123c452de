"""A pull by `$export`: the same store as by search, taken up where it was left, and going on from there by search."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapter.clock import utc_now
from adapter.errors import Invalid, RemoteFatal, RemoteTemporary
from adapter.fhir.bulk import Running
from adapter.sync.pulling import export as exports
from tests.sync.faulty import Exchange, says
from tests.sync.pulling.exporting import SIZE, TYPES, Scene, exporting, same_by_search, settings


@pytest.fixture
def scene(new_database: Callable[[], Any], database: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    with exporting(new_database(), database, monkeypatch) as made:
        yield made


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("packed", ["", "transfer", "file"])
def test_an_export_and_a_search_give_equal_stores(scene: Scene, new_database: Callable[[], Any], packed: str, counted: bool) -> None:
    scene.server.packed, scene.server.looks = packed, 2
    scene.prepare(counted=counted)
    certificate = scene.export()
    assert certificate.clean
    assert {type: row["created"] for type, row, _ in certificate.rows()} == dict.fromkeys(TYPES, SIZE)
    assert scene.here() == same_by_search(scene, new_database())
    assert set(scene.files().values()) == {1}
    assert scene.server.cancelled == ["0"]


def test_the_next_pull_goes_on_from_the_export_by_search(scene: Scene) -> None:
    scene.export()
    [new] = scene.make(1)
    scene.server.proxy.seen.clear()
    certificate = scene.pull()
    assert certificate.clean
    assert certificate.pulled.total("create") == 2
    assert any(f"Patient/{new['id']}" == link.reference for stored in scene.bridge.repository.scan("Patient") for link in stored.links)
    asked = [path for method, path in scene.server.proxy.seen if "/Patient?" in path and "_sort" in path]
    assert asked
    assert all("_lastUpdated=ge" in path for path in asked)
    assert not [path for _, path in scene.server.proxy.seen if "export" in path]


def test_a_first_pull_is_by_export_where_the_settings_say_so_and_the_next_is_not(scene: Scene) -> None:
    settings(scene, first_load="export")
    assert scene.pull().clean
    assert scene.pull().clean
    assert len(scene.server.begun) == 1
    assert len(scene.here()) == 2 * SIZE


class Stop(Exception):
    """The process ends here."""


@pytest.mark.parametrize("ranges", [True, False])
def test_an_export_that_was_stopped_anywhere_goes_on_where_it_was(
    scene: Scene, new_database: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, ranges: bool
) -> None:
    """Stopped after each batch: the export is not asked for twice, and each run takes what the one before it did not."""
    scene.server.ranges = ranges
    keep, runs = exports.Exported.keep, 0

    def stopped(*arguments: Any) -> None:
        keep(*arguments)
        raise Stop

    monkeypatch.setattr(exports.Exported, "keep", stopped)
    certificate = None
    while certificate is None:
        runs += 1
        with suppress(Stop):
            certificate = scene.export()
    # Of each type three files with two, two and one batches, and their ends.
    assert runs == 17
    assert certificate.clean
    assert certificate.pulled.total("create") == 2 * SIZE
    assert {row["fetched"] for _, row, _ in certificate.rows()} == {SIZE}
    assert len(scene.server.begun) == 1
    for number in scene.files() if ranges else ():
        asked = [part for name, part, *_ in scene.server.reads if name == number]
        starts = [int(part.removeprefix("bytes=").removesuffix("-") or 0) for part in asked]
        assert starts == sorted(starts), "none is read from its start again"
        assert starts[-1]
    assert scene.here() == same_by_search(scene, new_database())


def test_what_was_committed_and_not_noted_is_read_again_and_not_doubled(
    scene: Scene, new_database: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = exports.Exported.keep

    def unnoted(*arguments: Any) -> None:
        raise Stop

    monkeypatch.setattr(exports.Exported, "keep", unnoted)
    for _ in range(3):
        with pytest.raises(Stop):
            scene.export()
    monkeypatch.setattr(exports.Exported, "keep", keep)
    certificate = scene.export()
    assert certificate.clean
    assert (certificate.pulled.total("create"), certificate.pulled.total("unchanged")) == (2 * SIZE - 3, 3)
    assert scene.here() == same_by_search(scene, new_database())


def test_an_export_that_the_remote_has_lost_is_begun_again(scene: Scene) -> None:
    lost = scene.server.fault(says(410), path="export-files/0/3")
    certificate = scene.export()
    assert lost.struck == 1
    assert certificate.clean
    assert len(scene.server.begun) == 2
    assert len(scene.here()) == 2 * SIZE


def test_an_export_that_is_always_lost_is_a_failure_for_now(scene: Scene) -> None:
    scene.server.fault(says(404), path="export-status", method="GET")
    with pytest.raises(RemoteTemporary, match="lost its export 3 times"):
        scene.export()
    scene.server.mend()
    assert scene.export().clean


def test_an_export_that_cannot_be_asked_for_is_a_failure_and_leaves_nothing_behind(scene: Scene) -> None:
    scene.server.fault(says(501), path="$export")
    with pytest.raises(RemoteFatal):
        scene.export()
    assert not list(scene.bridge.state.all("exports"))


@pytest.mark.parametrize("cancel", [True, False])
def test_a_stop_keeps_the_export_or_ends_it_at_the_remote_as_the_settings_say(scene: Scene, cancel: bool) -> None:
    settings(scene, export_cancel=cancel)

    def stop(what: str, done: int, total: int) -> None:
        if what == "export Goal":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.pull(export=True, progress=stop)
    assert scene.server.cancelled == ["0"] * cancel
    assert scene.export().clean
    assert len(scene.server.begun) == 1 + cancel


def test_how_far_the_remote_is_shows_while_it_exports(scene: Scene) -> None:
    told = []
    scene.server.looks = 3
    scene.pull(export=True, progress=lambda *each: told.append(each))
    assert told[:3] == [("export at the remote", 40, 100)] * 3
    scene.server.fault(says(202, X_Progress="at work", Retry_After="0"), path="export-status", times=1)
    scene.pull(export=True, progress=lambda *each: told.append(each))
    assert ("export at the remote: at work", 0, 0) in told
    del told[told.index(("export at the remote: at work", 0, 0)) :]
    assert ("export Patient", SIZE, SIZE) in told
    assert [what for what, *_ in told if "Patient" in what or "Goal" in what] == sorted(
        [what for what, *_ in told if "Patient" in what or "Goal" in what], reverse=True
    ), "who is referred to comes first"


PAUSES = {
    "the remote does not say": (Running("", None), 0, 4.0),
    "it says": (Running("", 120.0), 0, 120.0),
    "it says, and its user knows better": (Running("", 120.0), 2, 2.0),
    "it refuses to be asked sooner": (Running("", 120.0, rest=True), 2, 120.0),
    "it wants to be asked without end": (Running("", 0.0), 0, 0.1),
}


@pytest.mark.parametrize(("found", "longest", "seconds"), PAUSES.values(), ids=PAUSES.keys())
def test_an_export_is_looked_at_when_the_remote_asks_for_it(found: Running, longest: float, seconds: float) -> None:
    assert exports.pause(found, 4.0, longest) == seconds


def test_an_export_asks_for_what_changed_since_the_last_one_or_since_a_time(scene: Scene) -> None:
    settings(scene, export_filter=("Goal?lifecycle-status=active", "Patient?active:not=false"), overlap=0)
    for since in (None, "last", "2025-04-22T09:00:00-04:00"):
        assert scene.export(since).clean
    asked = [each.get("_since", [""])[0] for each in scene.server.begun]
    assert asked[0] == ""
    assert asked[1][:19] == scene.server.time[:19]
    assert asked[2] == "2025-04-22T13:00:00.000Z"
    assert scene.server.begun[0]["_typeFilter"] == ["Goal?lifecycle-status=active", "Patient?active:not=false"]


def test_an_export_since_a_time_moves_no_cursor_since_it_is_not_all(scene: Scene) -> None:
    assert scene.export("2025-04-22T13:00:00Z").clean
    assert not list(scene.bridge.state.all("cursors"))


def test_an_export_that_does_not_add_up_is_not_one_to_go_on_from(scene: Scene) -> None:
    whole = scene.server.files[0]
    scene.server.files[0] = replace(whole, count=6)
    assert not scene.export().holds
    scene.server.files[0] = whole
    for _ in range(2):
        assert scene.export("last").clean
    assert ["_since" in asked for asked in scene.server.begun] == [False, False, True]


def test_another_export_ends_the_one_that_was_left(scene: Scene) -> None:
    def stop(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.pull(export=True, progress=stop)
    assert scene.export("2025-04-22T13:00:00Z").clean
    assert scene.server.cancelled == ["0", "1"]


LEVELS = {"system": ("", {"Patient", "Goal"}), "Patient": ("Patient/", {"Patient", "Goal"}), "Group/g1": ("Group/g1/", set())}


@pytest.mark.parametrize(("level", "path", "moved"), [(level, *rest) for level, rest in LEVELS.items()])
def test_only_an_export_that_holds_all_of_a_type_moves_its_cursor(scene: Scene, level: str, path: str, moved: set[str]) -> None:
    settings(scene, export=level)
    assert scene.export().clean
    assert scene.server.levels == [path]
    assert {id.partition(":")[2] for id, _ in scene.bridge.state.all("cursors")} == moved


def test_a_narrowed_type_moves_no_cursor(scene: Scene) -> None:
    settings(scene, export_filter=("Goal?lifecycle-status=active",))
    assert scene.export().clean
    assert [id for id, _ in scene.bridge.state.all("cursors")] == ["hospital:Patient"]


NOT_EXPORTED = {"mine": True, "scope": {"tag": "x"}, "searches": {"Goal": "lifecycle-status=active"}, "reference_depth": 1}


@pytest.mark.parametrize("name", NOT_EXPORTED)
def test_a_setting_that_no_export_can_follow_is_refused(scene: Scene, name: str) -> None:
    settings(scene, **{name: NOT_EXPORTED[name]})
    with pytest.raises(Invalid, match=name):
        scene.export()
    assert scene.server.begun == []


@pytest.mark.parametrize("since", ["yesterday", "2025-04-22", "2025-04-22T13:00:00"])
def test_a_time_without_its_zone_is_refused(scene: Scene, since: str) -> None:
    with pytest.raises(Invalid, match="instant with its zone"):
        scene.export(since)


def test_a_file_that_is_cut_off_is_read_on(scene: Scene) -> None:
    cut = scene.server.fault(scene.server.cuts(len(scene.server.files[0].text) // 2), path="export-files", times=3)
    certificate = scene.export()
    assert cut.struck == 3
    assert certificate.clean
    assert len(scene.server.begun) == 1


def test_a_server_that_fails_midway_ends_the_run_and_the_next_one_goes_on(scene: Scene) -> None:
    def busy(exchange: Exchange) -> None:
        says(503, json.dumps({"resourceType": "OperationOutcome", "issue": []}).encode(), Retry_After="0")(exchange)

    scene.server.fault(busy, path="export-files/0/1")
    with pytest.raises(RemoteTemporary):
        scene.export()
    begun = scene.files()
    scene.server.mend()
    certificate = scene.export()
    assert certificate.clean
    assert certificate.pulled.total("create") == 2 * SIZE
    assert len(scene.server.begun) == 1
    assert [number for number in begun if scene.files()[number] > begun[number]] == [], "what was read is not asked for again"


def test_a_type_that_the_remote_has_and_does_not_export_is_read_by_the_next_search(scene: Scene) -> None:
    scene.server.time = (utc_now() + timedelta(minutes=1)).isoformat()
    scene.server.files = [made for made in scene.server.files if made.type != "Goal"]
    assert scene.export().clean
    assert scene.pull().pulled.total("create") == SIZE
    assert len(scene.here()) == 2 * SIZE
