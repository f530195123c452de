"""Which databases are taken, and what is said of those that are not."""

import datetime
import socket
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path

import pymongo
import pytest
from pymongo.errors import PyMongoError

from adapter.config import Settings
from adapter.errors import StoreUnavailable
from adapter.store import connect
from adapter.store.connect import open_database, unfit


def settings(home: Path, db: str | None = None) -> Settings:
    return Settings(db=db, database="fallback", home=home, log_level="WARNING")


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be given up after five seconds is given up after one."""
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 1.0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[str]:
    """The URI of a real server that says of itself that it is in no replica set."""
    port = free_port()
    program = Path(sysconfig.get_path("scripts")) / "secantusd-py"
    config = tmp_path / "secantusd.toml"
    config.touch()
    arguments = [program, "--config", config, "--standalone", "--port", str(port), "--storage-path", tmp_path / "standalone"]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(arguments, stdout=log, stderr=log) as server:
        try:
            with pymongo.MongoClient("127.0.0.1", port, serverSelectionTimeoutMS=30_000) as client:
                client.admin.command("ping")
            yield f"mongodb://127.0.0.1:{port}/"
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("hello", "part"),
    [
        ({"isWritablePrimary": True, "setName": "rs0", "hosts": ["a:27017"], "me": "a:27017", "maxWireVersion": 25}, None),
        ({"isWritablePrimary": False, "secondary": True, "setName": "rs0", "maxWireVersion": 25}, None),
        ({"isWritablePrimary": True, "msg": "isdbgrid", "maxWireVersion": 25}, None),
        ({"isWritablePrimary": True, "maxWireVersion": 25, "readOnly": False, "ok": 1.0}, "--replSet rs0"),
        ({"isWritablePrimary": False, "isreplicaset": True, "info": "Does not have a valid replica set config"}, "rs.initiate()"),
    ],
    ids=["primary", "secondary", "mongos", "standalone", "not initiated"],
)
def test_only_a_replica_set_or_a_sharded_cluster_is_taken(hello: dict[str, object], part: str | None) -> None:
    reason = unfit(hello)
    assert reason is None if part is None else part in (reason or "")


def test_a_standalone_server_is_refused_with_what_to_do(standalone: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as caught, open_database(settings(tmp_path, standalone)):
        pass
    assert "mongod with --replSet rs0" in caught.value.text
    assert "rs.initiate()" in caught.value.text
    assert caught.value.exit_code == 6


def test_an_unreachable_server_is_named_without_the_credentials(tmp_path: Path, hurried: None) -> None:
    port = free_port()
    with pytest.raises(StoreUnavailable) as caught, open_database(settings(tmp_path, f"mongodb://ola:hemmelig@127.0.0.1:{port}/x")):
        pass
    assert f"127.0.0.1:{port}" in caught.value.text
    assert "hemmelig" not in caught.value.text
    assert "ola" not in caught.value.text
    assert caught.value.__cause__ is None


def test_a_server_that_accepts_and_never_answers_is_given_up(tmp_path: Path, hurried: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(StoreUnavailable, match="within 1 s"), open_database(settings(tmp_path, f"mongodb://127.0.0.1:{port}/")):
            pass


@pytest.mark.parametrize(
    "uri", ["hem:melig", "mongodb://ola:hem/melig@host/", "mongodb://ola:hemmelig@host:port/", "mongodb://host/a b.hemmelig"]
)
def test_what_is_no_uri_is_refused_without_showing_it(uri: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="CASEBRIDGE_DB") as caught, open_database(settings(tmp_path, uri)):
        pass
    assert "melig" not in caught.value.text


def test_the_embedded_store_is_the_default_and_is_told_of_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        with open_database(settings(tmp_path / "home")) as database:
            assert database.name == "fallback"
            assert database.client.options.retry_writes is False
            assert database.write_concern.document == {"w": "majority", "j": True}
            database.things.replace_one({"_id": 1}, {}, upsert=True)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_name_in_the_uri_goes_before_the_setting(store_uri: str, tmp_path: Path) -> None:
    host = store_uri.partition("/?")[0].rstrip("/")
    with open_database(settings(tmp_path, f"{host}/named?retryWrites=false")) as database:
        assert database.name == "named"
    with open_database(settings(tmp_path, f"{host}/")) as database:
        assert database.name == "fallback"
        assert database.client.options.retry_writes is True


def test_times_come_back_aware_and_unchanged(database) -> None:
    moment = datetime.datetime(2025, 4, 22, 9, 0, 0, 123000, tzinfo=datetime.timezone(datetime.timedelta(hours=-4)))
    database.things.insert_one({"_id": 1, "at": moment})
    found = database.things.find_one()["at"]
    assert found == moment
    assert found.tzinfo is not None


def test_the_tests_run_outside_utc() -> None:
    assert time.localtime(0).tm_gmtoff == -(3 * 3600 + 1800)


def test_nothing_is_left_connected_after_the_context(store_uri: str, tmp_path: Path) -> None:
    with open_database(settings(tmp_path, store_uri)) as database:
        pass
    with pytest.raises((PyMongoError, ValueError)):
        database.things.find_one()


def test_the_store_is_never_imported() -> None:
    assert not [name for name in sys.modules if name.split(".")[0] == "secantus"]
