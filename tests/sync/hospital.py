"""A hospital for tests that need only Python: this project's own FHIR server, on a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from adapter.clock import Clock, utc_now
from adapter.store.repository import Repository
from server import create_app, running


@contextmanager
def hospital_server(database: Any, clock: Clock = utc_now) -> Iterator[str]:
    """This project's own FHIR server over the database, on a free loopback port; its base URL."""
    with running(create_app(Repository(database, clock)), threads=4) as address:
        yield f"{address}/fhir"
