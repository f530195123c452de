"""What comes from a remote under a name that another has, or in a version that is not its last: it undoes nobody's edit."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from adapter.store.documents import Change
from adapter.sync.edge import with_own_id
from adapter.sync.pulling.pull import DOUBLE
from tests.sync.faulty import Exchange, says
from tests.sync.ward import Ward, ward

REFUSED = b'{"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "not-supported"}]}'
RAW = {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "birthDate": "1950-01-01"}


@pytest.fixture
def world(new_database: Callable[[], Any], database: Any) -> Iterator[Ward]:
    with ward(database, new_database()) as made:
        yield made


def copied(world: Ward) -> tuple[dict[str, Any], dict[str, Any]]:
    """Two resources at the hospital that carry the same casebridge id, the second with another birth date."""
    id = str(uuid4())
    first, second = (world.hospital.create(with_own_id({**RAW, "birthDate": date}, id)) for date in ("1950-01-01", "1960-01-01"))
    return world.hospital.read("Patient", first.id).raw, world.hospital.read("Patient", second.id).raw


def test_a_copy_that_carries_the_same_id_on_the_same_page_is_passed_over_and_told_of(world: Ward) -> None:
    first, _ = copied(world)
    certificate = world.sync()
    assert certificate.holds
    assert certificate.pulled.reasons[f"skip: {DOUBLE}"] == 1
    assert world.here(first).raw["birthDate"] == "1950-01-01"


def test_a_copy_that_changes_later_does_not_take_the_place_of_the_first(world: Ward) -> None:
    first, second = copied(world)
    world.sync()
    world.edit_there(second, gender="male")
    assert world.sync().pulled.reasons[f"skip: {DOUBLE}"] >= 1
    assert "gender" not in world.here(first).raw
    world.edit_here(first, birthDate="1950-02-02")
    world.sync()
    assert world.there(first)["birthDate"] == "1950-02-02"
    assert world.there(second)["birthDate"] == "1960-01-01"


def test_a_copy_takes_the_place_of_the_first_when_that_is_gone(world: Ward) -> None:
    first, second = copied(world)
    world.sync()
    world.hospital.delete("Patient", first["id"])
    world.edit_there(second, gender="male")
    world.sync()
    assert world.here(second).raw["gender"] == "male"


def test_a_search_that_shows_an_older_version_than_was_agreed_takes_nothing_back(world: Ward) -> None:
    patient = world.patient_there()
    world.sync()
    before: list[Any] = []

    def lags(exchange: Exchange) -> None:
        before.append(exchange.forward())
        exchange.answer(before[0])

    world.goes_wrong(lags, method="GET", path="_sort=_lastUpdated")
    world.set(types=("Patient",), overlap=3600)
    world.sync(push=False)
    assert before, "the page was kept"
    world.edit_here(patient, birthDate="1950-02-02")
    world.sync(pull=False)
    world.sync(push=False)
    assert len(before) > 1, "the old page was told"
    assert world.here(patient).raw["birthDate"] == world.there(patient)["birthDate"] == "1950-02-02"


@pytest.mark.parametrize("history", [True, False])
def test_what_was_edited_there_after_a_create_whose_answer_was_lost_is_not_overwritten(world: Ward, history: bool) -> None:
    """The remote's versions are not numbered from 1."""
    ours = world.bridge.repository.commit([Change("Patient", uuid4().hex, RAW, 0)])[0]
    there = world.hospital.create(with_own_id(RAW, ours.id))
    raw = world.edit_there(world.hospital.read("Patient", there.id).raw, birthDate="1960-01-01")
    world.goes_wrong(says(404, REFUSED), method="GET", path="/_history/1")
    if not history:
        world.goes_wrong(says(404, REFUSED), method="GET", path=f"/Patient/{there.id}/_history")
    certificate = world.sync()
    assert certificate.pulled.total("conflict") == (0 if history else 1)
    assert world.there(raw)["birthDate"] == "1960-01-01"
    if not history:
        [(id, _)] = world.bridge.conflicts.all("hospital")
        world.bridge.conflicts.resolve(id, {"*": "theirs"}, by="supervisor")
        assert world.sync().clean
    assert world.here(raw).raw["birthDate"] == "1960-01-01"
