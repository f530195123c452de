"""The case management API under /api: JSON in, a call of the casework room, JSON out. docs/api.md lists its routes."""

from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

from adapter.store.repository import Repository
from server.front import Application, Environ

PREFIX = "/api"
SIGHT = "casebridge.sight"
"""Where the environment of a request says what its caller sees; None, or nothing, for all."""
_MAKING = Lock()


def beside(rest: Application, repository: Repository, max_body: int) -> Application:
    """The WSGI application that answers what is under /api, and hands on all else to `rest`. `max_body` is in bytes."""

    made: list[Application] = []

    def api() -> Application:
        # Made when it is first asked for: some 250 routes and their schemas take 0.3 s of CPU, a third of the server's start. By one
        # thread at a time: werkzeug compiles each route, and Python 3.11 fails where two threads parse at once (AST constructor).
        with _MAKING:
            if not made:
                from server.api.application import application

                made.append(application(repository, max_body))
        return made[0]

    def choose(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        return (api() if path == PREFIX or path.startswith(f"{PREFIX}/") else rest)(environ, start_response)

    return choose
