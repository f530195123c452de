"""The gate before a remote: so many requests a second, and none while it asks to be left alone; for any number of threads."""

from threading import Barrier, Thread

import pytest

from adapter.errors import RemoteTemporary
from adapter.fhir.client import FhirClient
from adapter.fhir.rate import Gate, gate
from tests.fhir.remote import BASE, PATIENT, Remote, add


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def gate_of(clock: Clock, rate: float = 0) -> Gate:
    return Gate(rate, now=lambda: clock.now, sleep=clock.sleep)


def test_without_a_rate_nobody_waits() -> None:
    clock = Clock()
    open_gate = gate_of(clock)
    for _ in range(1000):
        open_gate.enter(patience=1)
    assert clock.slept == []


def test_as_many_as_the_rate_go_at_once_and_then_each_at_its_time() -> None:
    clock = Clock()
    four_a_second = gate_of(clock, 4)
    for _ in range(12):
        four_a_second.enter(patience=1)
    assert clock.slept == [0.25] * 8
    clock.now += 60
    before = len(clock.slept)
    for _ in range(4):
        four_a_second.enter(patience=1)
    assert len(clock.slept) == before, "a rest fills the bucket, not more"


def test_a_rate_of_less_than_one_a_second_lets_one_go_at_once() -> None:
    clock = Clock()
    slow = gate_of(clock, 0.5)
    for _ in range(3):
        slow.enter(patience=1)
    assert clock.slept == [2, 2]


def test_a_pause_holds_all_and_the_longest_counts() -> None:
    clock = Clock()
    closed = gate_of(clock)
    closed.close(7)
    closed.close(3)
    closed.enter(patience=60)
    closed.enter(patience=60)
    assert clock.slept == [7]


def test_a_pause_that_comes_while_one_waits_is_waited_for_too() -> None:
    clock = Clock()
    closed = Gate(
        now=lambda: clock.now, sleep=lambda seconds: (clock.sleep(seconds), closed.close(5) if len(clock.slept) == 1 else None)[0]
    )
    closed.close(2)
    closed.enter(patience=60)
    assert clock.slept == [2, 5]


def test_a_pause_longer_than_one_s_patience_is_a_failure_for_now() -> None:
    clock = Clock()
    closed = gate_of(clock)
    closed.close(3600)
    with pytest.raises(RemoteTemporary, match="left alone for 3600 s more"):
        closed.enter(patience=120)
    assert clock.slept == []


def test_a_pause_longer_than_one_s_patience_that_comes_while_one_waits_is_a_failure_for_now() -> None:
    clock = Clock()
    closed = Gate(now=lambda: clock.now, sleep=lambda seconds: (clock.sleep(seconds), closed.close(3600))[0])
    closed.close(2)
    with pytest.raises(RemoteTemporary, match="left alone for 3600 s more"):
        closed.enter(patience=120)
    assert clock.slept == [2]


def test_the_same_remote_has_the_same_gate_in_a_process() -> None:
    assert gate(BASE, 5) is gate(BASE, 5)
    assert gate(BASE, 5) is not gate("http://other.example/fhir", 5)


def test_threads_that_come_together_share_the_rate() -> None:
    clock = Clock()
    shared, together = gate_of(clock, 2), Barrier(6)

    def pass_through() -> None:
        together.wait()
        shared.enter(patience=60)

    threads = [Thread(target=pass_through) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Time stands still while they come, but for what they sleep themselves: four of six wait at all.
    assert len(clock.slept) >= 1
    assert clock.now > 100


def test_a_retry_after_holds_every_client_of_the_remote(remote: Remote) -> None:
    clock = Clock()
    shared = gate_of(clock)
    add(remote, "GET", "Patient/1", "", 429, headers={"Retry-After": "9"})
    add(remote, "GET", "Patient/1", PATIENT)
    with FhirClient(BASE, gate=shared, sleep=lambda _: None) as told, FhirClient(BASE, gate=shared) as other:
        assert told.read("Patient", "1").raw == PATIENT
        assert clock.slept == [9]
        shared.close(4)
        other.read("Patient", "1")
    assert clock.slept == [9, 4]
