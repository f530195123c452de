"""A hospital for tests that need only Python: this project's own FHIR server, on a database of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from adapter.store.repository import Repository
from server import create_app, listen


@contextmanager
def hospital_server(database: Any) -> Iterator[str]:
    """This project's own FHIR server over the database, on a free loopback port; its base URL."""
    server = listen(create_app(Repository(database)), port=0, threads=4)
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}/fhir"
    finally:
        server.close()
        thread.join(5)
