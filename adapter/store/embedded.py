"""The store that needs no installation: SecantusDB, a MongoDB-protocol server, as a process of its own on the loopback interface.

One data folder has one server, whoever started it. Two lock files keep it so:

- `start.lock`, exclusive, held only while a process finds, starts or stops the server;
- `users.lock`, shared, held by each process as long as it uses the server. The kernel drops it when a process dies, however it dies,
  so who gets it exclusively knows that nobody else is left, and stops the server.

The locks are flock(2): https://man7.org/linux/man-pages/man2/flock.2.html
"""

import fcntl
import json
import os
import signal
import socket
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

import psutil
import pymongo
from pymongo.errors import PyMongoError

from adapter import log
from adapter.clock import instant, utc_now
from adapter.errors import StoreUnavailable

START_SECONDS = 60.0
"""How long a start may take; WiredTiger first replays its log after a crash."""
STOP_SECONDS = 30.0

_HOST = "127.0.0.1"
# What it may hold of the data in memory: SecantusDB's own 1 GB makes the store larger than a site that it is meant for needs.
_CACHE = "256M"
_POLL_SECONDS = 0.05
_START_ATTEMPTS = 3
_ASKS = 10


@contextmanager
def embedded_store(home: Path, notice: Callable[[str], None]) -> Iterator[str]:
    """The MongoDB URI of the embedded store whose data is in `home`, running as long as anyone is inside this context.

    `notice` gets one line the first time a version of the store opens this data folder. Raises StoreUnavailable.
    """
    home = home.resolve()  # it is part of the server's command line, by which other processes know it
    _prepare(home)
    with (home / "users.lock").open("a") as users:
        with _starting(home):
            _lock(users, fcntl.LOCK_SH, home)
            _say_once(home, notice)
            port = _running(home) or _start(home)
        try:
            # SecantusDB 0.7.0b3 applies a retried write twice: it does not remember the write's transaction number.
            yield f"mongodb://{_HOST}:{port}/?retryWrites=false"
        finally:
            with _starting(home), suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _stop(home)


def _prepare(home: Path) -> None:
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.chmod(0o700)
        # Named explicitly and empty, or the server would read whatever configuration lies in the working or home directory.
        (home / "secantusd.toml").touch()
    except OSError as error:
        raise StoreUnavailable(
            f"The data folder {home} cannot be used ({error.strerror}). Set CASEBRIDGE_HOME to a folder of your own."
        ) from None


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    with (home / "start.lock").open("a") as lock:
        _lock(lock, fcntl.LOCK_EX, home)
        yield


def _lock(file: TextIO, kind: int, home: Path) -> None:
    """Take the lock, waiting as long as another process may need to start the store and one to stop it."""
    deadline = time.monotonic() + START_SECONDS + STOP_SECONDS
    while True:
        try:
            return fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise StoreUnavailable(
                    f"Another process has been starting or stopping the embedded store in {home} for too long."
                ) from None
            time.sleep(_POLL_SECONDS)


def _running(home: Path) -> int | None:
    """The port of this folder's server if it runs and answers."""
    state = _state(home)
    if state is None or not _is_ours(state["pid"], home):
        return None
    try:
        _wait_until_ready(home, state["pid"], state["port"])
    except _Ended:
        return None
    return int(state["port"])


def _start(home: Path) -> int:
    former = _state(home)
    for attempt in range(_START_ATTEMPTS):
        # The same port again, so that a process which outlived the former server finds the new one. Not if somebody took it meanwhile.
        port = _free_port(former["port"] if former and not attempt else 0)
        pid = _spawn(home, port)
        state = {"pid": pid, "port": port, "version": version("secantusdb"), "started": instant(utc_now())}
        _write(home / "store.json", json.dumps(state))
        try:
            _wait_until_ready(home, pid, port)
        except _Ended:
            continue
        log.event("store.started", pid=pid, port=port)
        return port
    raise StoreUnavailable(f"The embedded store does not start. Its log says why: {home / 'store.log'}")


def _spawn(home: Path, port: int) -> int:
    program = Path(sysconfig.get_path("scripts")) / "secantusd-py"
    if not program.exists():
        raise StoreUnavailable(
            "The embedded store is not installed (no secantusd-py beside Python). "
            "Install secantusdb, or set CASEBRIDGE_DB to a MongoDB replica set."
        )
    arguments = [str(program), "--config", str(home / "secantusd.toml"), "--host", _HOST, "--port", str(port)]
    arguments += ["--storage-path", str(home / "store"), "--sync-on-commit", "--cache-size", _CACHE, "--log-level", "WARNING"]
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess.Popen: the server outlives this object and this process. A session of its own keeps a Ctrl-C typed at us away from it.
    return os.posix_spawn(
        program,
        arguments,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(home / "store.log"), append, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )


class _Ended(Exception):
    """The server's process is gone before it answered."""


def _wait_until_ready(home: Path, pid: int, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port):
        if not _is_ours(pid, home):
            raise _Ended
        if time.monotonic() > deadline:
            raise StoreUnavailable(
                f"The embedded store does not answer within {START_SECONDS:.0f} s. Its log says why: {home / 'store.log'}"
            )
        time.sleep(_POLL_SECONDS)
    if not _is_ours(pid, home):
        raise _Ended


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((_HOST, port), timeout=1):
            pass
        client: pymongo.MongoClient[dict[str, Any]]
        with pymongo.MongoClient(_HOST, port, directConnection=True, serverSelectionTimeoutMS=2000) as client:
            client.admin.command("ping")
    except (OSError, PyMongoError):
        return False
    return True


def _stop(home: Path) -> None:
    """Stop the server, politely and then not. The caller holds both locks."""
    state = _state(home)
    if state is None or not _is_ours(state["pid"], home):
        return
    # About one SIGTERM in six is lost on a thread that was just going to wait, and on a busy machine the next one too.
    for number, patience in (*[(signal.SIGTERM, 3.0)] * _ASKS, (signal.SIGKILL, STOP_SECONDS)):
        with suppress(ProcessLookupError):
            os.kill(state["pid"], number)
        deadline = time.monotonic() + patience
        while _is_ours(state["pid"], home):
            if time.monotonic() > deadline:
                break
            # Its thread in accept(2) sees the stop only at the next connection: this one makes a stop take 1 s and not 3.
            with suppress(OSError), socket.create_connection((_HOST, state["port"]), timeout=1):
                pass
            time.sleep(_POLL_SECONDS)
        else:
            log.event("store.stopped", pid=state["pid"], signal=number.name)
            return


def _is_ours(pid: int, home: Path) -> bool:
    """Whether the process with this number is this folder's server: a number is used again, a command line tells."""
    with suppress(ChildProcessError):  # if it is our child and has ended, its zombie goes
        os.waitpid(pid, os.WNOHANG)
    try:
        command = psutil.Process(pid).cmdline()
    except psutil.Error:
        return False
    return str(home / "store") in command and any(part.endswith("secantusd-py") for part in command)


def _state(home: Path) -> dict[str, Any] | None:
    try:
        state: dict[str, Any] = json.loads((home / "store.json").read_text())
    except FileNotFoundError:
        return None
    return state


def _free_port(wanted: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, wanted))
        except OSError:
            return _free_port(0)
        return int(probe.getsockname()[1])


def _say_once(home: Path, notice: Callable[[str], None]) -> None:
    said = home / "notice"
    line = (
        f"casebridge: using the embedded store in {home} (SecantusDB {version('secantusdb')}, a GPL-2.0 beta run as a separate process). "
        "It is for evaluation and small sites; for production set CASEBRIDGE_DB to a MongoDB replica set."
    )
    if not said.exists() or said.read_text() != line:
        notice(line)
        _write(said, line)


def _write(path: Path, text: str) -> None:
    """All of the text or nothing of it, whenever the machine stops."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with new.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
