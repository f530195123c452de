"""The embedded store, with real processes: who starts it, who stops it, and what survives whose death."""

import fcntl
import json
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pymongo
import pytest
from pymongo.errors import PyMongoError

from adapter.errors import StoreUnavailable
from adapter.store import embedded
from adapter.store.embedded import embedded_store

USER = """
import sys
from pathlib import Path
from adapter.store.embedded import embedded_store
with embedded_store(Path(sys.argv[1]), lambda line: print("notice", line, file=sys.stderr, flush=True)) as uri:
    print(uri, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A data folder; a server that a failed test left behind in it is ended."""
    yield tmp_path / "home"
    for process in servers(tmp_path / "home"):
        process.kill()


def servers(home: Path) -> list[psutil.Process]:
    """The running servers of this data folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if str(home / "store") in process.cmdline():
                found.append(process)
        except psutil.Error:
            continue
    return found


@contextmanager
def user(home: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the store; leaving this context lets it leave the store."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", USER, str(home)], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait(60)


def uri_of(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline().strip()
    assert line.startswith("mongodb://"), process.stderr.read()
    return line


def connect(uri: str, patience_ms: int = 5000) -> pymongo.MongoClient[dict[str, Any]]:
    return pymongo.MongoClient(uri, serverSelectionTimeoutMS=patience_ms, w="majority", journal=True)


def ignore(line: str) -> None:
    pass


def eventually(true: Callable[[], bool]) -> bool:
    return any(true() or time.sleep(0.05) for _ in range(600))


def test_processes_share_one_server_and_the_last_to_leave_stops_it(home: Path) -> None:
    with user(home) as first:
        uri = uri_of(first)
        with user(home) as second:
            assert uri_of(second) == uri
            assert len(servers(home)) == 1
            with connect(uri) as client:
                client.people.patients.insert_one({"_id": "p1"})
        assert second.returncode == 0
        assert len(servers(home)) == 1
    assert first.returncode == 0
    assert servers(home) == []
    with embedded_store(home, ignore) as again, connect(again) as client:
        assert client.people.patients.find_one() == {"_id": "p1"}


def test_starting_at_once_makes_one_server(home: Path) -> None:
    with ExitStack() as stack:
        users = [stack.enter_context(user(home)) for _ in range(4)]
        assert len({uri_of(process) for process in users}) == 1
        assert len(servers(home)) == 1
        notices = "".join(process.communicate("\n", timeout=60)[1] for process in users)
        assert notices.count("notice") == 1
        assert [process.returncode for process in users] == [0, 0, 0, 0]
    assert servers(home) == []


def test_a_killed_user_leaves_the_store_running_and_the_next_user_finds_it(home: Path) -> None:
    with user(home) as killed:
        uri = uri_of(killed)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    [server] = servers(home)
    with embedded_store(home, ignore) as again:
        assert again == uri
        assert servers(home) == [server]
    assert servers(home) == []


def test_a_killed_server_loses_no_acknowledged_write_and_is_started_again_for_those_who_still_use_it(home: Path) -> None:
    chance = random.Random(3)
    acknowledged: list[int] = []

    def write(uri: str) -> None:
        with connect(uri, patience_ms=200) as client:
            try:
                for number in range(len(acknowledged), 1_000_000):
                    with client.start_session() as session, session.start_transaction():
                        client.work.current.insert_one({"_id": number}, session=session)
                        client.work.history.insert_one({"_id": number}, session=session)
                    acknowledged.append(number)
            except PyMongoError:
                return

    with embedded_store(home, ignore) as first:
        for _ in range(3):
            with embedded_store(home, ignore) as uri:
                assert uri == first
                with connect(uri) as client:
                    # What was not acknowledged may be there too, but wholly: the writer goes on after it.
                    client.work.current.delete_many({"_id": {"$gte": len(acknowledged)}})
                    client.work.history.delete_many({"_id": {"$gte": len(acknowledged)}})
                before = len(acknowledged)
                writer = threading.Thread(target=write, args=(uri,))
                writer.start()
                assert eventually(lambda before=before: len(acknowledged) > before)
                time.sleep(chance.uniform(0.05, 0.5))
                [server] = servers(home)
                server.kill()
                writer.join(60)
            with embedded_store(home, ignore) as uri, connect(uri) as client:
                current = [found["_id"] for found in client.work.current.find(sort=[("_id", 1)])]
                history = [found["_id"] for found in client.work.history.find(sort=[("_id", 1)])]
                assert set(acknowledged) <= set(current)
                assert current == history
    assert servers(home) == []


def test_a_recycled_process_number_is_neither_taken_for_the_server_nor_killed(home: Path) -> None:
    home.mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        (home / "store.json").write_text(json.dumps({"pid": stranger.pid, "port": 1, "version": "0", "started": ""}))
        with embedded_store(home, ignore) as uri, connect(uri) as client:
            client.admin.command("ping")
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_the_notice_comes_once_for_a_data_folder(home: Path) -> None:
    lines: list[str] = []
    for _ in range(2):
        with embedded_store(home, lines.append):
            pass
    [line] = lines
    assert "GPL-2.0" in line
    assert "CASEBRIDGE_DB" in line
    assert "\n" not in line


def test_the_data_folder_is_the_owners_alone(home: Path) -> None:
    home.mkdir(mode=0o755)
    with embedded_store(home, ignore):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


def test_an_interrupt_typed_at_the_terminal_does_not_reach_the_server(home: Path) -> None:
    with embedded_store(home, ignore):
        [server] = servers(home)
        assert os.getsid(server.pid) == server.pid != os.getsid(0)


def test_the_server_syncs_every_commit_and_listens_on_the_loopback_interface_only(home: Path) -> None:
    with embedded_store(home, ignore):
        [server] = servers(home)
        assert "--sync-on-commit" in server.cmdline()
        listening = {socket.laddr.ip for socket in server.net_connections() if socket.status == psutil.CONN_LISTEN}
        assert listening == {"127.0.0.1"}


def test_a_server_that_does_not_stop_when_asked_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.3)
    with embedded_store(home, ignore):
        [server] = servers(home)
        server.suspend()
    assert servers(home) == []


def test_a_process_that_never_finishes_its_start_is_not_waited_for_without_end(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "START_SECONDS", 0.1)
    monkeypatch.setattr(embedded, "STOP_SECONDS", 0.1)
    home.mkdir()
    with (home / "start.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StoreUnavailable, match="too long"), embedded_store(home, ignore):
            pass
    assert servers(home) == []


def test_a_server_that_cannot_start_is_reported_with_its_log(home: Path) -> None:
    home.mkdir()
    (home / "store").write_text("a file where the server needs a folder")
    with pytest.raises(StoreUnavailable) as caught, embedded_store(home, ignore):
        pass
    assert str(home / "store.log") in caught.value.text
    assert (home / "store.log").read_text()
    assert caught.value.exit_code == 6
    assert servers(home) == []


def test_a_data_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="CASEBRIDGE_HOME"), embedded_store(tmp_path / "file" / "home", ignore):
        pass


def test_a_store_that_is_not_installed_is_reported(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(StoreUnavailable, match="CASEBRIDGE_DB"), embedded_store(home, ignore):
        pass
