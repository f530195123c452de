"""The settings by which a remote is spared: its rate, and what it asks for by Retry-After, hold for every client of it in this process."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from adapter.errors import Invalid, RemoteTemporary
from adapter.store.state import State
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.ration import Ration
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Proxy, says


def test_what_one_client_is_told_holds_for_all_clients_of_the_remote(proxy: Proxy) -> None:
    remote = Remote("hospital", proxy.url, rate=7)
    proxy.fault(says(429, Retry_After="3600"), method="GET")
    with remote.client() as told, remote.client() as other:
        with pytest.raises(RemoteTemporary, match="429"):
            told.count("Patient", {})
        asked = len(proxy.seen)
        proxy.mend()
        for client in (told, other):
            with pytest.raises(RemoteTemporary, match="left alone for 3[56]"):
                client.count("Patient", {})
    assert len(proxy.seen) == asked, "nothing more was sent"


@pytest.mark.parametrize("setting", [{"writes": "put"}, {"deletes": "sometimes"}, {"rate": -1.0}, {"concurrency": 0}])
def test_a_setting_that_means_nothing_is_refused(database: Any, setting: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match=f"The setting {next(iter(setting))} must"):
        Bridge(database).remotes.add(Remote("hospital", "http://127.0.0.1:9/fhir", **setting))


class Clocked(State):
    """A store whose clock stands still."""

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("rate", "waits"), [(4.0, [0, 0, 0, 0, 0.25, 0.5, 0.75, 1.0]), (0.5, [0, 2, 4, 6])])
def test_a_rate_holds_for_all_processes_that_ask_the_remote(database: Any, rate: float, waits: list[float]) -> None:
    """As many as the rate go at once, and then each at its time; two that ask at the same moment do not get the same turn."""
    rations = [Ration(Clocked(database), "hospital", rate) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda number: rations[number % 4].turn(), range(len(waits))))
    assert sorted(given) == pytest.approx(waits, abs=1e-5)


def test_a_sync_takes_its_turns_from_what_others_left(database: Any, proxy: Proxy) -> None:
    bridge = Bridge(database)
    bridge.remotes.add(Remote("hospital", proxy.url, rate=1000, types=("Patient",)))
    assert bridge.sync("hospital", say=lambda _: None).clean
    taken = bridge.state.get("state", "rate:hospital") or {}
    other = Ration(bridge.state, "hospital", 1000)
    other.turn()
    assert (bridge.state.get("state", "rate:hospital") or {})["taken"] > taken["taken"] > 0
