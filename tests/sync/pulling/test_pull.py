"""A pull takes what is new at a remote, whatever the remote can tell, and its account is true. The remote is this project's own server."""

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.cli.certificates import show_certificate
from adapter.clock import instant
from adapter.errors import RemoteTemporary, RemoteUnauthorised
from adapter.fhir.retry import RetryPolicy
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.pulling.pages import AHEAD, ahead
from tests.sync import ward as lacking
from tests.sync.faulty import Exchange, changes, says
from tests.sync.test_two_sides import changed
from tests.sync.ward import Ward, ward

REFUSED = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "processing"}]}'


@pytest.fixture
def world(new_database: Callable[[], Any], database: Any) -> Iterator[Ward]:
    with ward(database, new_database()) as made:
        yield made


def goal_there(world: Ward, patient: dict[str, Any]) -> dict[str, Any]:
    """A goal of the patient's, at the hospital."""
    described = {"lifecycleStatus": "active", "description": {"text": "walk (Kanarifugl)"}}
    written = world.hospital.create({"resourceType": "Goal", "subject": {"reference": f"Patient/{patient['id']}"}, **described})
    return world.hospital.read("Goal", written.id).raw


class TestWhatIsNew:
    def test_is_asked_for_with_a_closed_start_before_the_last_pull_by_the_remote_s_clock(self, world):
        world.patient_there()
        world.sync(push=False)
        cursor = world.bridge.state.get("cursors", "hospital:Patient")["since"]
        world.patient_there()
        world.sync(push=False)
        assert world.asked(f"_lastUpdated=ge{instant(cursor)}&_sort=_lastUpdated")

    def test_is_found_though_it_was_stamped_before_the_last_pull_and_appeared_after_it(self, new_database, database):
        behind = new_database()
        with ward(database, behind) as world:
            world.patient_there()
            world.sync(push=False)
            early = datetime.now(UTC) - timedelta(seconds=5)
            late = Repository(behind, lambda: early)
            late.commit([Change("Patient", "late", {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, 0)])
            certificate = world.sync(push=False)
            assert changed(certificate.pulled) == {"create": 1}
            assert world.here({"resourceType": "Patient", "id": "late"}).raw["name"] == [{"family": "Kanarifugl"}]

    def test_what_is_read_again_at_the_edge_is_known_by_its_version_and_written_once(self, world):
        patient = world.patient_there()
        world.sync(push=False)
        again = world.sync(push=False)
        assert (again.pulled.fetched["Patient"], again.pulled.written, again.clean) == (1, 0, True)
        assert world.here(patient).version == 1

    def test_is_found_by_a_cursor_that_is_thirty_days_old(self, new_database, database, monkeypatch):
        now = [datetime(2026, 3, 1, 12, tzinfo=UTC)]
        dates = "%a, %d %b %Y %H:%M:%S GMT"
        monkeypatch.setattr(Exchange, "date_time_string", lambda self, timestamp=None: now[0].strftime(dates))
        with ward(database, new_database(), clock=lambda: now[0]) as world:
            old, edited, dropped = (world.patient_there() for _ in range(3))
            now[0] += timedelta(minutes=2)
            world.sync(push=False)
            assert world.bridge.state.get("cursors", "hospital:Patient")["since"] == now[0] - timedelta(seconds=60)
            made = []
            for day in range(30):
                now[0] += timedelta(days=1)
                made.append(world.patient_there())
                world.edit_there(edited, birthDate=f"1950-01-{day + 1:02}")
            world.hospital.delete("Patient", dropped["id"])
            certificate = world.sync(push=False)
            assert changed(certificate.pulled) == {"create": 30, "update": 1, "delete": 1}
            assert certificate.clean
            assert certificate.pulled.expected["Patient"] == 31, "the one that did not change is not read"
            assert world.here(edited).raw["birthDate"] == "1950-01-30"
            assert {world.here(raw).version for raw in (*made, old)} == {1}
            assert world.bridge.state.get("cursors", "hospital:Patient")["since"] == now[0] - timedelta(seconds=60)


class TestARemoteWithoutTimesAndVersions:
    @pytest.fixture
    def world(self, world):
        world.lacks(lacking.times, lacking.versions, lacking.history)
        return world

    def test_is_read_whole_and_content_tells_what_changed(self, world):
        same, edited = world.patient_there(), world.patient_there()
        world.sync(push=False)
        world.edit_there(edited, gender="other")
        certificate = world.sync(push=False)
        assert changed(certificate.pulled) == {"update": 1}
        assert certificate.pulled.fetched["Patient"] == 2
        assert (world.here(same).version, world.here(edited).version) == (1, 2)
        assert changed(world.sync(push=False).pulled) == {}
        assert not world.asked("_lastUpdated")

    def test_deletions_are_found_each_time_because_all_ids_are_known(self, world):
        kept, dropped = world.patient_there(), world.patient_there()
        world.sync(push=False)
        world.hospital.delete("Patient", dropped["id"])
        assert changed(world.sync(push=False).pulled) == {"delete": 1}
        assert not world.here(kept).deleted

    def test_edits_of_both_sides_merge(self, world):
        patient = world.patient_there()
        world.sync(push=False)
        world.edit_here(patient, birthDate="1950-01-02")
        world.edit_there(patient, gender="other")
        assert changed(world.sync(push=False).pulled) == {"merge": 1}
        here = world.here(patient).raw
        assert (here["birthDate"], here["gender"]) == ("1950-01-02", "other")


def test_a_remote_that_counts_nothing_is_read_to_the_end_and_the_account_says_so(world):
    world.lacks(lacking.totals)
    for _ in range(3):
        world.patient_there()
    certificate = world.sync(push=False)
    assert certificate.clean
    assert (certificate.pulled.expected["Patient"], certificate.pulled.fetched["Patient"]) == (3, 3)
    assert certificate.pulled.reasons["not counted by the remote, but read to the end: a Patient"] == 3


class TestATypeThatFails:
    def test_does_not_keep_the_others_and_they_keep_their_cursors(self, world, capsys):
        patient = world.patient_there()
        goal_there(world, patient)
        world.goes_wrong(says(403, REFUSED), method="GET", path="/Goal?")
        with pytest.raises(RemoteUnauthorised):
            world.sync()
        assert world.here(patient)
        *_, (_, kept) = world.bridge.state.all("certificates")
        assert not kept["holds"]
        assert [*kept["failed"]] == ["Goal"]
        assert not kept["pull"]["Goal"]["adds up"]
        show_certificate(kept)
        assert f"Goal could not be read: {kept['failure']}" in capsys.readouterr().out
        world.proxy.mend()
        before = len(world.proxy.seen)
        certificate = world.sync(push=False)
        assert certificate.clean
        assert certificate.pulled.total("create") == 1
        searched = [path for _, path in world.proxy.seen[before:] if "_sort" in path]
        assert [path for path in searched if "/Patient?" in path and "_lastUpdated=ge" in path]
        assert [path for path in searched if "/Goal?" in path and "_lastUpdated=ge" not in path]

    def test_for_the_moment_does_not_keep_the_others(self, world, monkeypatch):
        known = world.patient_there()
        world.sync(push=False)
        goal_there(world, known)
        patient = world.patient_there()
        world.goes_wrong(says(500, REFUSED), method="GET", path="/Patient?")
        monkeypatch.setattr("adapter.fhir.retry.RetryPolicy.wait", lambda self, attempt: 0.0)
        with pytest.raises(RemoteTemporary):
            world.sync()
        assert [stored.type for stored in world.bridge.repository.scan("Goal")] == ["Goal"]
        assert not list(world.bridge.repository.scan("Patient", {"links.key": f"hospital|Patient/{patient['id']}"}))


def pages_of(world: Ward, number: int) -> None:
    """So many patients that their history and their search have several pages."""
    world.set(page_size=2)
    for _ in range(number):
        world.patient_there()


def test_a_page_of_a_history_that_expired_is_asked_for_again(world):
    pages_of(world, 5)
    world.sync(push=False)
    for page in world.hospital.search("Patient", {}):
        for raw in page.entries:
            world.hospital.delete("Patient", raw["id"])
    world.lacks(lacking.system_history)
    gone = world.goes_wrong(says(410, REFUSED), method="GET", path="Patient/_history", skip=1, times=1)
    certificate = world.sync(push=False)
    assert gone.struck == 1
    assert changed(certificate.pulled) == {"delete": 5}


def test_a_page_of_what_was_born_here_that_expired_is_asked_for_again(world):
    for number in range(5):
        person = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}
        world.bridge.repository.commit([Change("Patient", f"ours-{number}", person, 0)])
    world.set(page_size=2)
    world.sync()
    gone = world.goes_wrong(says(410, REFUSED), method="GET", path="_cursor", times=1)
    assert world.sync(push=False).clean
    assert gone.struck == 1


def test_nobody_fetches_ahead_for_a_reader_that_is_gone():
    asked: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(1_000_000):
            asked.append(number)
            yield number

    with ahead(numbers(), lambda _: AHEAD // 4) as items:
        assert next(items) == 0
    for thread in [each for each in threading.enumerate() if each.name == "pull-ahead"]:
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert len(asked) < 20


def test_what_was_set_aside_and_is_deleted_there_since_is_deleted_here(world):
    patient = world.patient_there()
    world.sync(push=False)
    letter = {"remote": "hospital", "direction": "pull", "there": f"Patient/{patient['id']}", "reason": "odd", "at": datetime.now(UTC)}
    world.bridge.state.put("dead_letters", f"hospital:pull:Patient/{patient['id']}", letter)
    world.lacks(lacking.history)
    world.hospital.delete("Patient", patient["id"])
    world.sync(push=False)
    assert [stored.deleted for stored in world.bridge.repository.scan("Patient")] == [True]
    assert not list(world.bridge.state.all("dead_letters"))


@pytest.mark.parametrize("status", [403, 500])
def test_what_was_set_aside_and_cannot_be_read_waits_on_and_keeps_nobody(world, status, monkeypatch):
    monkeypatch.setattr(RetryPolicy, "wait", lambda self, attempt: 0.0)
    refused, patient = world.patient_there(), world.patient_there()
    letter = {"remote": "hospital", "direction": "pull", "there": f"Patient/{refused['id']}", "reason": "odd", "at": datetime.now(UTC)}
    world.bridge.state.put("dead_letters", "hospital:pull:odd", letter)
    world.proxy.fault(says(status, REFUSED), method="GET", path=f"/Patient/{refused['id']}")
    assert world.sync(push=False).holds
    assert world.here(patient)
    assert [id for id, _ in world.bridge.state.all("dead_letters")] == ["hospital:pull:odd"]


def test_all_pages_are_read_and_each_entry_comes_once(world):
    """B-04"""
    patients = [world.patient_there() for _ in range(6)]
    world.set(types=("Patient",), page_size=2)
    certificate = world.sync(push=False)
    assert (certificate.pulled.fetched["Patient"], changed(certificate.pulled)) == (6, {"create": 6})
    assert len(world.asked("Patient?", "GET")) >= 3
    assert {world.here(patient).version for patient in patients} == {1}
    assert changed(world.sync(push=False).pulled) == {}


def test_what_slips_through_between_two_pages_when_another_is_deleted_comes_all_the_same(world):
    patients = [world.patient_there() for _ in range(6)]
    world.set(types=("Patient",), page_size=2)

    def shifts(exchange: Exchange) -> None:
        """A page as of a remote that counts its pages from the first."""
        world.hospital.delete("Patient", patients[0]["id"])
        changes(lambda raw: raw["entry"].pop(0) and None)(exchange)

    shifted = world.goes_wrong(shifts, method="GET", path="_sort=_lastUpdated", skip=1, times=1)
    certificate = world.sync(push=False)
    assert shifted.struck == 1
    assert certificate.holds, certificate.to_json()
    assert all(world.here(patient) for patient in patients[1:])
