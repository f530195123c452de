"""Killed with SIGKILL in the midst of a backup or a restore: there is no half of a file, and no half of a database that is used."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.backup.copy import back_up
from adapter.backup.restore import contents
from adapter.store.repository import Repository
from adapter.store.restoring import MARK
from adapter.store.state import State

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(store_uri: str, tmp_path: Path) -> Start:
    """Starts a command on one of the databases."""

    def start(database: Any, *arguments: object) -> subprocess.Popen[str]:
        settings = {"CASEBRIDGE_DB": store_uri, "CASEBRIDGE_DATABASE": database.name, "CASEBRIDGE_HOME": str(tmp_path / "home")}
        command = [sys.executable, "-m", "adapter.cli", *map(str, arguments)]
        return subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return start


def kill_when(process: subprocess.Popen[str], true: Callable[[], bool]) -> None:
    while process.poll() is None and not true():
        time.sleep(0.002)
    process.kill()
    process.communicate()
    assert process.returncode == -9, "it ended before it was killed"


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """The exit code of a command, and what it printed."""
    out, said = process.communicate()
    return process.returncode, out, said


def test_a_backup_that_is_killed_leaves_no_file_of_that_name_and_the_next_one_is_whole(many: Repository, file: Path, start: Start) -> None:
    part = file.with_name("a.backup.part")
    kill_when(start(many.database, "backup", file), lambda: part.exists())
    assert [path for path in file.parent.iterdir() if path.is_file()] == [part]
    code, out, said = ended(start(many.database, "backup", file))
    assert code == 0, said
    assert f"{1 + 1800 + 1 + 2} documents of 4 collections" in out, "and the accounts of two backups"
    assert not part.exists()
    assert ended(start(many.database, "restore", "--check", file))[0] == 0


def test_a_restore_that_is_killed_is_refused_to_all_and_goes_on(many: Repository, file: Path, start: Start, new_database: Any) -> None:
    target = new_database()
    state = State(target)
    back_up(many.database, file)
    kill_when(start(target, "restore", file), lambda: bool((state.get("state", MARK) or {}).get("done")))
    assert state.get("state", MARK), "it was whole before it was killed"
    code, _, said = ended(start(target, "verify"))
    assert code == 6
    assert "the same `casebridge restore` goes on" in said
    code, _, said = ended(start(target, "restore", file))
    assert code == 0, said
    there = contents(target)
    assert {name: there[name] for name in ("Patient", "Basic")} == {name: contents(many.database)[name] for name in ("Patient", "Basic")}
