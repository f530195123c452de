"""What every test gets: a real store, a database of its own, a zone that is not UTC, and the canary."""

import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pymongo
import pytest
from pymongo.database import Database

from adapter.config import Settings
from adapter.errors import CasebridgeError
from adapter.store.connect import open_database
from adapter.store.embedded import embedded_store

# Half an hour off the hour, and a summer time: a naive time shows.
os.environ["TZ"] = "America/St_Johns"
time.tzset()

# A shell has what it starts in the background ignore Ctrl-C, and the commands that tests start and interrupt would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, max_examples=100)
hypothesis.settings.load_profile("ci")

CANARY = "kanarifugl"
"""The family name of every synthetic person, and a word in every synthetic note: where it appears, patient data would."""


PATIENCE = 900
"""Seconds that one test may take: the slowest takes a tenth of that. Those against real servers may take four times as long."""


@pytest.fixture(autouse=True)
def bounded(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that waits for what does not come, in whatever call that is; the traceback shows which."""
    limit = PATIENCE * (4 if request.node.get_closest_marker("live") else 1)

    def fail(*_: object) -> None:
        pytest.fail(f"It has taken more than {limit} s: what it waits for does not come.")

    before = signal.signal(signal.SIGALRM, fail)
    signal.setitimer(signal.ITIMER_REAL, limit)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def store_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real store: CASEBRIDGE_DB, else one embedded server for all tests of this process."""
    given = os.environ.get("CASEBRIDGE_DB")
    if given:
        yield given
        return
    with embedded_store(tmp_path_factory.mktemp("store"), notice=lambda line: None) as uri:
        yield uri


@pytest.fixture(scope="session")
def store(store_uri: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[pymongo.MongoClient[dict[str, Any]]]:
    """A client connected as casebridge connects."""
    with open_database(Settings(db=store_uri, database="unused", home=tmp_path_factory.getbasetemp(), log_level="DEBUG")) as database:
        yield database.client


@pytest.fixture
def new_database(store: pymongo.MongoClient[dict[str, Any]]) -> Iterator[Callable[[], Database[dict[str, Any]]]]:
    """Makes databases that no other test sees, empty at first.

    On a MongoDB of somebody's they are dropped afterwards. The embedded server's folder goes with the session; there a drop is for minutes
    (SecantusDB 0.7.0b3 deletes key by key: over 8 minutes for 2,000 documents).
    """
    names: list[str] = []

    def new() -> Database[dict[str, Any]]:
        names.append(f"test_{uuid.uuid4().hex}")
        return store[names[-1]]

    yield new
    for name in names if os.environ.get("CASEBRIDGE_DB") else ():
        store.drop_database(name)


@pytest.fixture
def database(new_database: Callable[[], Database[dict[str, Any]]]) -> Database[dict[str, Any]]:
    """A database that no other test sees, empty at first."""
    return new_database()


@contextmanager
def _texts_watched() -> Iterator[list[str]]:
    """Where the canary was seen: in a log record of any logger as it is made, or in the text of one of our errors as it is constructed.

    At the source, not in a handler: the command line replaces handlers, and a caught error shows nothing.
    """
    seen: list[str] = []
    make_record = logging.getLogRecordFactory()
    construct = CasebridgeError.__init__

    def watch(kind: str, text: str) -> None:
        if CANARY in text.casefold():
            seen.append(f"{kind}: {text}")

    def watched_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make_record(*args, **kwargs)
        watch(f"log {record.name}", logging.Formatter().format(record))
        return record

    def watched_construct(self: CasebridgeError, text: str, **kwargs: Any) -> None:
        construct(self, text, **kwargs)
        watch(f"error {type(self).__name__}", f"{text} {self.expression}")

    logging.setLogRecordFactory(watched_record)
    CasebridgeError.__init__ = watched_construct  # type: ignore[method-assign]
    try:
        yield seen
    finally:
        CasebridgeError.__init__ = construct  # type: ignore[method-assign]
        logging.setLogRecordFactory(make_record)


@pytest.fixture(autouse=True)
def canary() -> Iterator[None]:
    """Fail the test in which patient data comes into a log record or an error's text."""
    logger = logging.getLogger("casebridge")
    before = logger.level, logger.propagate, logger.handlers[:]
    logger.setLevel(logging.DEBUG)
    try:
        with _texts_watched() as seen:
            yield
    finally:
        level, logger.propagate, logger.handlers[:] = before
        logger.setLevel(level)
    if seen:
        pytest.fail("Patient data came into\n" + "\n".join(seen), pytrace=False)
