"""One sync of a remote at a time, whoever runs it: processes of their own that wait, are killed, or have lost the right to write."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pymongo.errors import OperationFailure

from adapter.clock import utc_now
from adapter.config import OWN_ID
from adapter.errors import Busy
from adapter.store.documents import Change
from adapter.sync import lease
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Exchange, Proxy
from tests.sync.world import World

PATIENCE = 60


class Held:
    """Holds up every request that it is the fault of, until told to let go."""

    def __init__(self) -> None:
        self.reached, self.let_go = threading.Event(), threading.Event()

    def __call__(self, exchange: Exchange) -> None:
        self.reached.set()
        self.let_go.wait(PATIENCE)
        exchange.answer(exchange.forward())


@pytest.fixture
def proxy(world: World) -> Iterator[Proxy]:
    """In front of the hospital: a remote named `slow`."""
    with Proxy(world.remote.url) as proxy:
        world.bridge.remotes.add(Remote("slow", proxy.url, types=("Patient",)))
        yield proxy


@pytest.fixture
def casebridge(database: Any, store_uri: str) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `casebridge …` as a process of its own on the test's database; what still runs at the end is killed."""
    environment = {**os.environ, "CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": database.name}
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def make_here(world: World) -> str:
    id = uuid4().hex
    world.bridge.repository.commit([Change("Patient", id, {"resourceType": "Patient", "name": [{"family": "Kanarifugl"}]}, 0)])
    return id


def found_there(world: World, id: str) -> int:
    return world.hospital.count("Patient", {"identifier": f"{OWN_ID}|{id}"})


def said(process: subprocess.Popen[str]) -> tuple[int, list[str]]:
    """How it ended, and what it said apart from results."""
    _, err = process.communicate(timeout=PATIENCE)
    return process.returncode, err.splitlines()


def test_a_second_sync_ends_at_once_and_says_that_the_first_runs(world, proxy, casebridge):
    made, held = make_here(world), Held()
    proxy.fault(held, method="POST", times=1)
    first = casebridge("sync", "slow")
    assert held.reached.wait(PATIENCE)
    seen = len(proxy.seen)
    code, lines = said(casebridge("sync", "slow"))
    assert (code, lines) == (5, ["casebridge: Another sync of slow is running; try again when it has ended, or use --wait."])
    assert len(proxy.seen) == seen
    held.let_go.set()
    assert said(first)[0] == 0
    assert found_there(world, made) == 1


def test_a_second_sync_that_waits_goes_on_when_the_first_has_ended_and_doubles_nothing(world, proxy, casebridge):
    made, held = make_here(world), Held()
    proxy.fault(held, method="POST", times=1)
    first = casebridge("sync", "slow")
    assert held.reached.wait(PATIENCE)
    second = casebridge("sync", "slow", "--wait", str(PATIENCE))
    assert second.stderr.readline() == "Another sync of slow is running; waiting for it to end.\n"
    held.let_go.set()
    assert said(first)[0] == 0
    assert said(second)[0] == 0
    assert found_there(world, made) == 1


def test_many_syncs_at_once_double_nothing(world, proxy, casebridge):
    made = [make_here(world) for _ in range(5)]
    crowd = [casebridge("sync", "slow", *(["--wait", str(PATIENCE)] if number % 2 else [])) for number in range(4)]
    codes = [said(process)[0] for process in crowd]
    assert codes[1::2] == [0, 0]
    assert set(codes) <= {0, 5}
    assert [found_there(world, id) for id in made] == [1] * 5


def test_the_lease_of_a_killed_sync_is_taken_over_at_once(world, proxy, casebridge):
    made, held = make_here(world), Held()
    proxy.fault(held, method="POST", times=1)
    first = casebridge("sync", "slow")
    assert held.reached.wait(PATIENCE)
    first.kill()
    assert first.wait(PATIENCE) == -signal.SIGKILL
    proxy.mend()
    assert said(casebridge("sync", "slow"))[0] == 0  # without --wait: it would end with 5 if it had to wait
    held.let_go.set()
    assert found_there(world, made) == 1


def test_what_a_killed_sync_left_open_in_the_store_is_ended_by_the_next(world):
    """MongoDB keeps the open transaction of a dead client, and what it wrote locked, for a minute."""
    state, made = world.bridge.state, make_here(world)
    dead = lease.Lease(state, "hospital")
    assert dead.take()
    state.swap("leases", "hospital", {}, {**(state.get("leases", "hospital") or {}), "pid": 2**22 + 1})
    dead.session.start_transaction()
    patients = world.bridge.repository.database["Patient"]
    patients.update_one({"_id": made}, {"$set": {"local.left": "open"}}, session=dead.session)
    with lease.hold(state, "hospital"), pytest.raises(OperationFailure, match="NoSuchTransaction|aborted"):
        dead.session.commit_transaction()
    assert world.sync().clean
    assert found_there(world, made) == 1


def ahead() -> datetime:
    return utc_now() + timedelta(hours=1)


def test_a_process_whose_clock_is_ahead_takes_no_lease_that_is_held(world, database):
    with lease.hold(world.bridge.state, "hospital"), pytest.raises(Busy):
        Bridge(database, ahead).sync("hospital", say=lambda _: None)


def test_a_lease_that_has_run_out_by_the_stores_clock_is_taken_over(world):
    state = world.bridge.state
    assert lease.Lease(state, "hospital").take()
    state.swap("leases", "hospital", {}, {**(state.get("leases", "hospital") or {}), "until": state.now()})
    assert lease.Lease(state, "hospital").take()


@pytest.mark.parametrize("where", [{"processes": "another container"}, {"processes": None}, {"host": "another.example"}])
def test_a_holder_whose_process_could_not_be_seen_from_here_is_not_taken_for_dead(world, where):
    """Two containers, or two machines, can have one name; then the number of a process says nothing about the other's."""
    state, unseen = world.bridge.state, {"pid": 2**22 + 1, **where}
    assert lease.Lease(state, "hospital").take()
    state.swap("leases", "hospital", {}, {**(state.get("leases", "hospital") or {}), **unseen})
    assert not lease.Lease(state, "hospital").take()


def test_a_lease_that_was_lost_stops_the_writer(world, proxy):
    """A process stands still for longer than its lease lasts; another takes over; the first wakes up and must not write."""
    made = [make_here(world) for _ in range(3)]
    world.bridge.remotes.remove("slow")
    world.bridge.remotes.add(Remote("slow", proxy.url, types=("Patient",), bundle_size=1))
    state = world.bridge.state

    def take_over(exchange: Exchange) -> None:
        held = state.get("leases", "slow") or {}
        state.put("leases", "slow", {**held, "until": utc_now() - timedelta(seconds=1)})
        assert lease.Lease(state, "slow").take()
        exchange.answer(exchange.forward())

    proxy.fault(take_over, method="POST", path="Patient", times=1)
    with pytest.raises(Busy, match=re.escape("The lease on slow was lost to another process; nothing more was done.")):
        world.bridge.sync("slow", pull=False, say=lambda _: None)
    assert sorted(found_there(world, id) for id in made) == [0, 0, 1]
