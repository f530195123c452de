"""A bridge that was restored to an older state, while its remote went on: it syncs on, and nothing is lost or there twice.

Both sides are servers of this project; the remote's is not restored. What others had of the restored side is the last test.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from adapter.backup.copy import back_up
from adapter.backup.restore import restore
from adapter.fhir.resource import content
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.bridge import Bridge
from tests.backup.conftest import PATIENT
from tests.sync.faulty import Proxy
from tests.sync.hospital import hospital_server
from tests.sync.world import World, world

TYPES = ("Patient", "Goal")


@pytest.fixture
def before(new_database: Any, database: Any) -> Iterator[World]:
    """Our side and the hospital, in step."""
    with hospital_server(new_database()) as url:
        made = world(database, url)
        yield made
        made.hospital.close()


def restored(before: World, file: Path, database: Any) -> World:
    """Our side as of the backup, on a database of its own, and the same hospital."""
    with file.open("rb") as opened:
        restore(database, opened)
    bridge = Bridge(database)
    return World(bridge, before.hospital, bridge.remotes.get("hospital"))


def goal(patient: str, text: str) -> dict[str, Any]:
    return {
        "resourceType": "Goal",
        "lifecycleStatus": "active",
        "description": {"text": text},
        "subject": {"reference": f"Patient/{patient}"},
    }


def there(side: World) -> dict[str, list[dict[str, Any]]]:
    """What the hospital has, by type."""
    return {type: [raw for page in side.hospital.search(type, {}) for raw in page.entries] for type in TYPES}


def here(side: World) -> dict[str, dict[str, Any]]:
    """What we have, by reference."""
    return {stored.reference: content(stored.raw) for type in TYPES for stored in side.bridge.repository.scan(type) if not stored.deleted}


def create(side: World, id: str, raw: dict[str, Any]) -> None:
    side.bridge.repository.commit([Change(raw["resourceType"], id, raw, 0)])


def edit(side: World, type: str, id: str, **elements: Any) -> None:
    now = side.bridge.repository.read(type, id)
    side.bridge.repository.commit([Change(type, id, {**now.raw, **elements}, now.version)])


def in_step(side: World) -> None:
    """Synced, and a second sync has nothing to do."""
    assert side.sync().holds
    last = side.sync()
    assert last.holds
    assert last.clean


def test_it_syncs_on_and_nothing_is_lost_or_doubled(before: World, file: Path, new_database: Any) -> None:
    theirs = [before.patient_there(birthDate=f"198{number}-01-01") for number in range(4)]
    create(before, "ours", {"resourceType": "Patient", "name": [{"family": "Kanarifugl", "given": ["Ours"]}]})
    for name in ("edited", "dropped", "kept"):
        create(before, name, goal("ours", f"{name}: Kanarifugl"))
    in_step(before)
    # Owed when the backup is made, and sent after it: an edit, and one that the hospital does not know yet.
    edit(before, "Goal", "kept", lifecycleStatus="on-hold")
    create(before, "owed", goal("ours", "owed: Kanarifugl"))
    back_up(before.bridge.repository.database, file)

    create(before, "later", goal("ours", "later: Kanarifugl"))
    edit(before, "Goal", "edited", lifecycleStatus="completed")
    now = before.bridge.repository.read("Goal", "dropped")
    before.bridge.repository.commit([Change("Goal", "dropped", None, now.version)])
    before.edit_here(theirs[0], gender="male")
    before.edit_there(theirs[1], gender="other")
    added = before.patient_there(birthDate="1990-01-01")
    before.hospital.delete("Patient", theirs[3]["id"])
    in_step(before)
    wanted, counts = here(before), {type: len(raws) for type, raws in there(before).items()}
    assert "Goal/later" in wanted
    assert "Goal/dropped" not in wanted

    after = restored(before, file, new_database())
    assert "Goal/later" not in here(after)
    in_step(after)
    assert {type: len(raws) for type, raws in there(after).items()} == counts, "nothing is there twice, and nothing is gone"
    assert here(after) == wanted
    assert after.here(added).raw["birthDate"] == "1990-01-01"
    assert not [*after.bridge.repository.owed("hospital")]


def test_what_is_edited_after_the_restore_meets_what_was_edited_after_the_backup(before: World, file: Path, new_database: Any) -> None:
    raw = before.patient_there(gender="female", birthDate="1980-01-01")
    in_step(before)
    back_up(before.bridge.repository.database, file)
    before.edit_here(raw, birthDate="1981-02-02")
    in_step(before)
    after = restored(before, file, new_database())
    after.edit_here(raw, gender="other")
    in_step(after)
    both = after.here(raw).raw
    assert (both["gender"], both["birthDate"]) == ("other", "1981-02-02")
    assert (after.there(raw)["gender"], after.there(raw)["birthDate"]) == ("other", "1981-02-02")


def test_ids_and_links_are_one_to_one_afterwards(before: World, file: Path, new_database: Any) -> None:
    create(before, "ours", {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]})
    back_up(before.bridge.repository.database, file)
    in_step(before)
    after = restored(before, file, new_database())
    in_step(after)
    links = Counter(link.key for type in TYPES for stored in after.bridge.repository.scan(type) for link in stored.links)
    assert {*links.values()} == {1}
    assert len(there(after)["Patient"]) == 1


def test_who_pulls_from_the_restored_side_may_miss_an_edit_until_the_next_one(database: Any, file: Path, new_database: Any) -> None:
    """A version that was given out after the backup is given out again, for other content: who had it cannot tell (docs/backup.md)."""
    older, ours = new_database(), Repository(database)
    ours.commit([Change("Patient", "a", PATIENT, 0)])
    back_up(database, file)
    ours.commit([Change("Patient", "a", {**PATIENT, "gender": "male"}, 1)])
    with hospital_server(database) as url, Proxy(url) as address:
        puller = world(new_database(), address.url)
        assert puller.sync().holds
        with file.open("rb") as opened:
            restore(older, opened)
        ours = Repository(older)
        genders = []
        with hospital_server(older) as again:
            address.behind = urlsplit(again)
            for version in (1, 2):
                ours.commit([Change("Patient", "a", {**PATIENT, "gender": "other", "multipleBirthInteger": version}, version)])
                assert puller.sync().holds
                genders.append(puller.here({"resourceType": "Patient", "id": "a"}).raw["gender"])
        puller.hospital.close()
    assert genders == ["male", "other"]
