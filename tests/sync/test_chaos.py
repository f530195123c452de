"""A short storm over two bridges and this project's own server as the hospital; `make chaos` is the long one, with a real HAPI."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapter.fhir.client import FhirClient
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.chaos.edits import Edit, Ledger, at, put
from tests.chaos.judge import Dispute, different, disputes, lost
from tests.chaos.run import run
from tests.chaos.sides import SYSTEM, TYPES, Hospital, Manager
from tests.sync.hospital import hospital_server


def test_after_a_storm_nothing_is_lost_or_doubled_and_all_sides_are_the_same(new_database: Callable[[], Any], tmp_path: Path) -> None:
    with hospital_server(new_database()) as url:
        verdict = run(url, tmp_path, seed=7, seconds=12)
    assert verdict.problems == []
    assert verdict.ledger.counts["edited"]
    assert verdict.counts["syncs"]


def test_what_both_case_managers_deleted_and_the_hospital_edited_is_in_dispute(new_database: Callable[[], Any]) -> None:
    with hospital_server(new_database()) as url, FhirClient(url) as client:
        managers = [Manager(name, Bridge(new_database())) for name in ("north", "south")]
        named = [{"system": SYSTEM, "value": "Observation 1"}]
        client.create({"resourceType": "Observation", "status": "final", "code": {"text": "Kanarifugl"}, "identifier": named})
        for each in managers:
            each.bridge.remotes.add(Remote("hospital", url, types=TYPES))
            each.bridge.sync("hospital")
            each.delete(each.all()[0])
        [raw] = Hospital(client).all()
        Hospital(client).update({**raw, "valueString": "Kanarifugl m1"})
        for each in managers:
            each.bridge.sync("hospital")
            found = disputes([each.bridge], {}, {})["Observation 1"]
            assert found.open
            assert "Kanarifugl m1" in found.texts


PLACE = ("title",)


def judged(end: dict[str, str], *edits: tuple[str, str | None], dispute: Dispute | None = None) -> list[str]:
    """The marks that count as lost, given what each side holds at the end and the (mark, what it replaced) of each edit."""
    held = {side: {"CarePlan 1": {"title": mark}} for side, mark in end.items()}
    ledger = Ledger([Edit(mark, "north", "CarePlan 1", PLACE, replaced) for mark, replaced in edits])
    return [edit.mark for edit in lost(ledger, held, {"CarePlan 1": dispute} if dispute else {})]


def test_an_edit_that_a_later_one_saw_is_not_lost_and_one_that_none_saw_is() -> None:
    assert judged({"hospital": "b", "north": "b"}, ("a", None), ("b", "a")) == []
    assert judged({"hospital": "b", "north": "b"}, ("a", None), ("b", None)) == ["a"]


def test_an_edit_that_a_conflict_tells_of_is_not_lost() -> None:
    assert judged({"hospital": "b", "north": "b"}, ("a", None), ("b", None), dispute=Dispute(False, '"a" or "b"')) == []


def test_an_edit_that_only_one_side_holds_is_lost_unless_a_conflict_is_open() -> None:
    assert judged({"hospital": "b", "north": "a"}, ("a", None), ("b", "x")) == ["a", "b"]
    assert judged({"hospital": "b", "north": "a"}, ("a", None), ("b", "x"), dispute=Dispute(True, "")) == []


def test_what_is_missing_or_differs_on_a_side_is_told() -> None:
    held = {"hospital": {"Goal 1": {"a": 1}, "Goal 2": {"a": 1}}, "north": {"Goal 1": {"a": 2}}}
    assert different(held, set()) == ["Goal 1: differs in a", "Goal 2: not on north"]
    assert different(held, {"Goal 1", "Goal 2"}) == []


def test_a_mark_is_written_where_it_is_read() -> None:
    raw = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}, {"text": "other"}]}
    written = put(raw, ("name", 0, "text"), "m")
    assert at(written, ("name", 0, "text")) == "m"
    assert written["name"] == [{"family": "Kanarifugl", "text": "m"}, {"text": "other"}]
    assert at(raw, ("name", 0, "text")) is None
