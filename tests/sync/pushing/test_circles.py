"""Resources that refer to each other: in one transaction, or in two phases, and whole after whatever came between."""

import pytest

from adapter.errors import RemoteTemporary
from tests.sync.faulty import Fault, drops
from tests.sync.pushing.scene import WAYS, Scene, assert_circle_is_there, circle, lacking


def test_a_circle_goes_in_one_transaction(scene: Scene) -> None:
    scene.knows()
    ids = circle(scene)
    assert scene.pushed() == {"create": 3}
    assert scene.writes() == ["POST"]
    assert_circle_is_there(scene, ids)


@pytest.mark.parametrize("way", ["batches", "single requests"])
def test_without_transactions_a_circle_goes_in_two_phases(scene: Scene, way: str) -> None:
    scene.knows()
    scene.proxy.faults = [lacking(*WAYS[way])]
    ids = circle(scene, 3)
    assert scene.pushed() == {"create": 4}
    assert scene.writes().count("PUT") == 1
    assert_circle_is_there(scene, ids)


def test_a_circle_larger_than_a_bundle_goes_in_two_phases(scene: Scene) -> None:
    scene.knows(bundle_size=3)
    ids = circle(scene, 5)
    assert scene.pushed() == {"create": 6}
    assert_circle_is_there(scene, ids)


def test_a_push_that_dies_between_the_phases_finishes_the_circle_later(scene: Scene) -> None:
    scene.knows()
    scene.proxy.faults = [lacking("transaction", "batch"), Fault(drops, method="PUT")]
    ids = circle(scene)
    with pytest.raises(RemoteTemporary):
        scene.push()
    assert len(scene.owed()) == 1
    scene.proxy.mend()
    assert scene.pushed() == {"update": 1}
    assert_circle_is_there(scene, ids)


def test_a_pull_between_the_phases_takes_nothing_away(scene: Scene) -> None:
    scene.knows()
    scene.proxy.faults = [lacking("transaction", "batch"), Fault(drops, method="PUT")]
    ids = circle(scene)
    with pytest.raises(RemoteTemporary):
        scene.push()
    scene.proxy.mend()
    scene.bridge.sync("hospital", push=False, say=lambda _: None)
    assert scene.pushed() == {"update": 1}
    assert_circle_is_there(scene, ids)


def test_a_circle_is_deleted_in_one_transaction(scene: Scene) -> None:
    scene.knows()
    ids = circle(scene)
    scene.push()
    before = len(scene.writes())
    for type, id in (("ServiceRequest", ids[0]), ("CarePlan", "plan")):
        scene.delete(type, id)
    assert scene.pushed() == {"delete": 2}
    assert scene.writes()[before:] == ["POST"]
    assert [scene.hospital.count(type, {}) for type in ("ServiceRequest", "CarePlan")] == [0, 0]
