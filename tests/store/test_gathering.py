"""Reads that come together are asked together, each after it was wanted."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

from adapter.store.documents import Change
from adapter.store.gathering import Gathered


def test_each_caller_gets_its_own_and_nothing_for_what_is_not_there():
    gathered = Gathered(lambda keys: {key: key.upper() for key in keys if key != "z"})
    assert gathered.of(["a", "z"]) == {"a": "A"}
    with ThreadPoolExecutor(16) as pool:
        assert [*pool.map(lambda number: gathered.of([f"k{number}"]), range(300))] == [
            {f"k{number}": f"K{number}"} for number in range(300)
        ]


def test_those_that_wait_are_asked_in_one_question():
    free, asked = Event(), []

    def ask(keys):
        asked.append(keys)
        assert free.wait(10)
        return dict.fromkeys(keys, 1)

    gathered = Gathered(ask)
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(gathered.of, [f"k{number}"]) for number in range(12)]
        while sum(map(len, asked)) + len(gathered._open.keys if gathered._open else ()) < 12:
            pass
        free.set()
        assert all(call.result(10) for call in calls)
    assert len(asked) == 2
    assert sorted(key for keys in asked for key in keys) == sorted(f"k{number}" for number in range(12))


def test_a_failure_is_told_to_all_that_it_was_asked_for_and_nobody_is_asked_for_twice():
    free, asked = Event(), []

    def ask(keys):
        asked.append(keys)
        assert free.wait(10)
        if "bad" in keys:
            raise OSError
        return dict.fromkeys(keys, 1)

    gathered = Gathered(ask)
    with ThreadPoolExecutor(8) as pool:
        calls = {key: pool.submit(gathered.of, [key]) for key in ("first", "bad", "a", "b", "c", "d", "e", "f")}
        while sum(map(len, asked)) + len(gathered._open.keys if gathered._open else ()) < 8:
            pass
        free.set()
        failed = {key for key, call in calls.items() if isinstance(call.exception(10), OSError)}
        assert failed == {key for keys in asked if "bad" in keys for key in keys}
    assert sorted(key for keys in asked for key in keys) == sorted(calls)
    assert gathered.of(["a"]) == {"a": 1}


def test_a_read_sees_what_was_written_before_it(repository):
    [stored] = repository.commit([Change("Patient", "p", {"resourceType": "Patient"}, 0)])
    with ThreadPoolExecutor(8) as pool:
        for version in range(1, 20):
            repository.commit([Change("Patient", "p", {"resourceType": "Patient", "multipleBirthInteger": version}, version)])
            assert {row.version for row in pool.map(lambda _: repository.row("Patient", "p"), range(8))} == {version + 1}
    assert stored.version == 1
