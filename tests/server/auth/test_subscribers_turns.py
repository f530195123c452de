"""What a turn tells that began late, was overtaken, or finds that nothing waits any more."""

from dataclasses import replace
from itertools import count

import pytest

from adapter.errors import VersionConflict
from adapter.sync.subscriptions import delivery
from tests.sync.receiver import eventually

from .subscribing import NARROW, World


def test_a_turn_that_waited_tells_by_whom_it_belongs_to_when_it_begins(world: World) -> None:
    ins = world.insurer("ins")
    id = world.subscribed(ins)
    world.write("CarePlan", "plan-river", status="revoked")
    [row] = world.repository.subscribed()
    turn = delivery.Turn(world.repository, world.delivery, row, delivery.Course(), lambda: True)
    raw = {**world.repository.read("Subscription", id).raw, "reason": "Kanarifugl, narrower"}
    assert world.site.send(world.token(replace(ins, scope=NARROW)), "PUT", f"fhir/Subscription/{id}", raw).status_code == 200
    turn.take()
    assert (world.status(id)[0], world.told(ins)) == ("active", [])
    assert not world.repository.notifications.waiting(row.queue)


def test_a_turn_that_waited_while_its_subscription_was_made_anew_tells_nothing(world: World) -> None:
    hook = {"type": "rest-hook", "endpoint": f"{world.receiver.url}/hook"}
    asked = {"status": "requested", "reason": "Kanarifugl", "criteria": "CarePlan", "channel": hook}
    world.write("Subscription", "own", **asked)
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    [row] = world.repository.subscribed()
    turn = delivery.Turn(world.repository, world.delivery, row, delivery.Course(), lambda: True)
    world.delete("Subscription", "own")
    world.write("Subscription", "own", **asked)
    turn.take()
    assert world.receiver.got == []


def test_a_process_that_slept_while_another_told_it_all_writes_nothing_down_and_sends_nothing(world: World) -> None:
    ins = world.insurer("ins")
    world.subscribed(ins)
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    [row] = world.repository.subscribed()
    asked = count()

    def may_go_on() -> bool:
        if next(asked) == 1:
            # Before its first notification: what it was answered is out of date when it goes on.
            world.tell()
        return True

    with pytest.raises(VersionConflict):
        delivery.Turn(world.repository, world.delivery, row, delivery.Course(), may_go_on).take()
    assert world.told(ins) == ["update/CarePlan/plan-river/2"]
    assert len(world.accounts()) == 1


@pytest.mark.parametrize("by", ["consent", "skip"])
def test_an_error_goes_with_the_last_that_was_not_taken(world: World, by: str) -> None:
    ins = world.insurer("ins")
    id = world.subscribed(ins)
    world.receiver.answer = lambda got: 200 if got.about.startswith("handshake") else 500
    world.write("CarePlan", "plan-river", title="Kanarifugl")
    [row] = world.repository.subscribed()
    with world.telling():
        assert eventually(lambda: world.status(id)[0] == "error")
        if by == "consent":
            world.write("Consent", "consent-river", status="inactive")
        else:
            world.repository.notifications.drop(*world.repository.notifications.oldest(row.queue, 1))
        assert eventually(lambda: world.status(id) == ("active", ""))
    assert not world.repository.notifications.waiting(row.queue)
