"""What was deleted at a remote is deleted here, however the remote tells it, and nothing else is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from tests.sync import ward as lacking
from tests.sync.faulty import Exchange, Reply, changes, says
from tests.sync.test_two_sides import changed
from tests.sync.ward import Ward, ward

REFUSED = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "forbidden"}]}'


@pytest.fixture
def world(new_database: Callable[[], Any], database: Any) -> Iterator[Ward]:
    with ward(database, new_database()) as made:
        yield made


def synced(world: Ward, number: int = 1) -> list[dict[str, Any]]:
    """So many patients, on both sides."""
    patients = [world.patient_there() for _ in range(number)]
    world.sync(push=False)
    return patients


def made_again(world: Ward, patient: dict[str, Any], **elements: Any) -> None:
    """The hospital writes a resource that it had deleted, under the same id."""
    body = {name: value for name, value in {**patient, **elements}.items() if name != "meta"}
    requests.put(f"{world.hospital.base_url}/Patient/{patient['id']}", json=body, timeout=30).raise_for_status()


class Memory:
    """The answer of one request, to be told again later."""

    def __init__(self) -> None:
        self._said: bytes = b""

    def keeps(self, exchange: Exchange) -> None:
        reply = exchange.forward()
        self._said = reply.body
        exchange.answer(reply)

    def tells(self, exchange: Exchange) -> None:
        exchange.answer(Reply(200, self._said, {"Content-Type": "application/fhir+json"}))


def deleted_here(world: Ward) -> int:
    return sum(stored.deleted for stored in world.bridge.repository.scan("Patient"))


class TestToldByTheHistory:
    def test_of_all_types_is_one_request_for_all(self, new_database, database):
        with ward(database, new_database(), types=()) as world:
            dropped, kept = synced(world, 2)
            world.hospital.delete("Patient", dropped["id"])
            world.proxy.seen.clear()
            assert changed(world.sync(push=False).pulled) == {"delete": 1}
            assert len(world.asked("_history")) == 1
            assert len(world.proxy.seen) < 15, "more than a hundred types are looked at"

    def test_of_each_type_where_there_is_no_other(self, world):
        world.lacks(lacking.system_history)
        dropped, kept = synced(world, 2)
        world.hospital.delete("Patient", dropped["id"])
        assert changed(world.sync(push=False).pulled) == {"delete": 1}
        assert len(world.asked("/Patient/_history")) == 1

    def test_of_each_type_where_that_of_all_types_is_longer(self, world):
        dropped, busy = synced(world, 2)
        world.set(page_size=2)
        for day in range(20):
            world.edit_there(busy, birthDate=f"1950-01-{day + 1:02}")
        world.hospital.delete("Patient", dropped["id"])
        world.proxy.seen.clear()
        certificate = world.sync(push=False)
        assert changed(certificate.pulled) == {"update": 1, "delete": 1}
        assert len(world.asked("/fhir/_history")) <= 4
        assert world.asked("/Patient/_history")

    def test_is_not_believed_of_what_the_same_pull_read(self, world):
        """The history is told as it was before the resource was made again."""
        [patient] = synced(world)
        world.hospital.delete("Patient", patient["id"])
        stale = Memory()
        world.goes_wrong(stale.keeps, method="GET", path="/fhir/_history", times=1)
        world.sync(push=False)
        assert deleted_here(world) == 1
        made_again(world, patient)
        world.proxy.mend()
        world.goes_wrong(stale.tells, method="GET", path="/fhir/_history")
        world.sync(push=False)
        assert deleted_here(world) == 0


def test_what_was_deleted_there_and_made_again_under_its_id_is_here_again(world):
    [patient] = synced(world)
    world.hospital.delete("Patient", patient["id"])
    assert changed(world.sync(push=False).pulled) == {"delete": 1}
    made_again(world, patient, gender="other")
    certificate = world.sync()
    assert (changed(certificate.pulled), changed(certificate.pushed)) == ({"update": 1}, {})
    assert world.here(patient).raw["gender"] == "other"
    again = world.sync()
    assert (changed(again.pulled), changed(again.pushed)) == ({}, {})


def test_what_a_search_still_shows_and_is_gone_is_not_made_again_here(world):
    [patient] = synced(world)
    stale = Memory()
    world.goes_wrong(stale.keeps, method="GET", path="_sort=_lastUpdated", times=1)
    world.set(types=("Patient",))
    world.sync(push=False)
    world.hospital.delete("Patient", patient["id"])
    world.sync(push=False)
    world.proxy.mend()
    world.goes_wrong(stale.tells, method="GET", path="_sort=_lastUpdated")
    world.goes_wrong(changes(lambda raw: [each["resource"].update(total=1) for each in raw["entry"]]), method="POST")
    world.sync(push=False)
    assert deleted_here(world) == 1


class TestWithoutAHistory:
    @pytest.fixture
    def world(self, world):
        world.lacks(lacking.history)
        return world

    def test_ids_are_compared_when_it_is_time(self, world):
        dropped, kept = synced(world, 2)
        world.hospital.delete("Patient", dropped["id"])
        assert changed(world.sync(push=False).pulled) == {}, "not before 24 hours are over"
        world.set(ids_every=0)
        certificate = world.sync(push=False)
        assert changed(certificate.pulled) == {"delete": 1}
        assert certificate.clean
        assert not world.here(kept).deleted
        assert changed(world.sync(push=False).pulled) == {}

    def test_what_the_ids_lack_is_asked_for_before_it_is_deleted(self, world):
        """Here a search that forgets one, as a search index that lags does."""
        forgotten, kept = synced(world, 2)
        world.set(ids_every=0)

        def forgets(raw: dict[str, Any]) -> None:
            raw["entry"] = [each for each in raw.get("entry", ()) if each["resource"]["id"] != forgotten["id"]]

        world.goes_wrong(changes(forgets), method="GET", path="_elements=id")
        world.goes_wrong(changes(lambda raw: raw.update(total=1)), method="GET", path="Patient?_summary=count")
        certificate = world.sync(push=False)
        assert changed(certificate.pulled) == {}
        assert certificate.pulled.reasons["kept: a Patient that is linked and not found by what is asked for"] == 1

    @pytest.mark.parametrize("status", [403, 400])
    def test_a_read_that_is_refused_deletes_nothing(self, world, status):
        dropped, kept = synced(world, 2)
        world.set(ids_every=0)
        world.hospital.delete("Patient", dropped["id"])
        world.goes_wrong(says(405, REFUSED), method="POST", body=f"Patient/{dropped['id']}")
        world.goes_wrong(says(status, REFUSED), method="GET", path=f"Patient/{dropped['id']}")
        assert changed(world.sync(push=False).pulled) == {}
        assert deleted_here(world) == 0

    def test_ids_that_were_cut_short_delete_nothing(self, world):
        dropped, kept = synced(world, 2)
        world.set(ids_every=0)
        world.hospital.delete("Patient", dropped["id"])
        world.goes_wrong(changes(lambda raw: raw.update(entry=[])), method="GET", path="_elements=id")
        assert changed(world.sync(push=False).pulled) == {}

    def test_a_pull_that_does_not_add_up_deletes_nothing(self, world):
        world.set(ids_every=0)
        dropped, kept = synced(world, 2)
        world.hospital.delete("Patient", dropped["id"])
        world.patient_there()
        world.goes_wrong(changes(lambda raw: raw.update(entry=[])), method="GET", path="_sort=_lastUpdated")
        certificate = world.sync(push=False)
        assert not certificate.holds
        assert changed(certificate.pulled) == {}

    def test_a_remote_that_was_reset_deletes_nothing_and_is_told_of(self, world):
        patients = synced(world, 25)
        world.set(ids_every=0)
        for patient in patients:
            world.hospital.delete("Patient", patient["id"])
        certificate = world.sync(push=False)
        assert changed(certificate.pulled) == {}
        assert certificate.pulled.reasons["kept: most Patient are no longer there; was the remote reset?"] == 25

    def test_deleted_there_and_edited_here_waits_for_a_person(self, world):
        patient, other = synced(world, 2)
        world.set(ids_every=0)
        world.edit_here(patient, birthDate="1960")
        world.hospital.delete("Patient", patient["id"])
        assert changed(world.sync(push=False).pulled) == {"conflict": 1}
        assert deleted_here(world) == 0


def test_what_was_deleted_while_a_remote_was_forgotten_is_found_when_it_is_added_again(world):
    dropped, kept = synced(world, 2)
    world.bridge.remotes.remove("hospital")
    world.hospital.delete("Patient", dropped["id"])
    world.bridge.remotes.add(world.remote)
    assert changed(world.sync(push=False).pulled) == {"delete": 1}
    assert not world.here(kept).deleted
