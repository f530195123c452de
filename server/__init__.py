"""The HTTP server: a Flask application around a repository, and the loop that serves it."""

import ipaddress
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import Any

import flask
import waitress
from waitress.server import BaseWSGIServer

from adapter.errors import Forbidden
from adapter.fhir.resource import laid_out
from adapter.store.repository import Repository
from server import cors, errors
from server.fhir import headers
from server.fhir.messages import Answer, Request
from server.fhir.routes import endpoint

MAX_BODY = 32 * 2**20
# Without a check of Host, a web page could reach a server on loopback by a name of its own (DNS rebinding).
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_app(
    repository: Repository,
    *,
    max_body: int = MAX_BODY,
    hosts: Sequence[str] = LOOPBACK_NAMES,
    origins: Sequence[str] = (),
    integrity: bool = False,
    handling: str = "strict",
) -> flask.Flask:
    """The application: FHIR R4 under /fhir, and /health. `max_body` is in bytes; requests for hosts other than `hosts` are refused.

    `origins` are those whose web pages may use it, besides its own; `integrity` refuses writes that leave references to what is not here.
    `handling`, strict or lenient, is for search parameters that are not known, where the caller has no preference.
    """
    app = flask.Flask("casebridge", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=max_body, TRUSTED_HOSTS=list(hosts))
    answer = endpoint(repository)

    def fhir(path: str = "") -> flask.Response:
        base = f"{flask.request.host_url.rstrip('/')}/fhir"
        request = _request(base, path, integrity, handling)
        return _response(answer(request), base, headers.pretty(request))

    app.add_url_rule("/fhir", "fhir", fhir, methods=_METHODS)
    app.add_url_rule("/fhir/", "fhir", fhir, methods=_METHODS)
    app.add_url_rule("/fhir/<path:path>", "fhir", fhir, methods=_METHODS)
    app.add_url_rule("/health", "health", lambda: _health(repository))
    cors.install(app, origins)
    app.register_error_handler(Exception, _failed)
    return app


def listen(app: flask.Flask, host: str = "127.0.0.1", port: int = 8080, *, threads: int = 8) -> BaseWSGIServer:
    """A bound server; its `effective_port` says where, `run()` serves and `close()` ends it.

    Raises Forbidden for a host beyond loopback: nobody is asked who they are yet.
    """
    if not _is_loopback(host):
        raise Forbidden("Without authentication the server listens on loopback only, such as 127.0.0.1.")
    server: BaseWSGIServer = waitress.create_server(
        app, host=host, port=port, threads=threads, ident="casebridge", max_request_body_size=app.config["MAX_CONTENT_LENGTH"] + 1
    )
    return server


@contextmanager
def running(app: flask.Flask, *, threads: int = 8) -> Iterator[str]:
    """The base URL of a server that runs beside the caller, on a free port of loopback, as long as the context is open."""
    server = listen(app, port=0, threads=threads)
    closing = Event()

    def run() -> None:
        try:
            server.run()
        except OSError:
            # A close from another thread takes the sockets from under the loop that waits on them.
            if not closing.is_set():
                raise

    thread = Thread(target=run, name="casebridge-server", daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.effective_port}"
    finally:
        closing.set()
        server.close()
        thread.join(5)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _request(base: str, path: str, integrity: bool, handling: str) -> Request:
    return Request(
        method="GET" if flask.request.method == "HEAD" else flask.request.method,
        path=path,
        base=base,
        params=[*flask.request.args.items(multi=True)],
        headers={name.lower(): value for name, value in flask.request.headers.items()},
        body=flask.request.get_data(cache=False),
        integrity=integrity,
        handling=handling,
    )


def _response(answer: Answer, base: str, pretty: bool) -> flask.Response:
    text = laid_out(answer.text) if pretty and answer.text else answer.text
    response = flask.Response(text, answer.status, headers.written(answer, base), mimetype=headers.FHIR_JSON)
    if answer.text is None:
        del response.headers["Content-Type"]
    return response


def _failed(error: Exception) -> flask.Response:
    problem = errors.named(error)
    fhir = flask.request.path.split("/")[1:2] == ["fhir"]
    text, kind = (errors.as_outcome(problem), headers.FHIR_JSON) if fhir else (errors.as_problem(problem), errors.PROBLEM_JSON)
    response = flask.Response(text, problem.status, mimetype=kind)
    if isinstance(problem, errors.MethodNotAllowed):
        response.headers["Allow"] = ", ".join(problem.allowed)
    return response


def _health(repository: Repository) -> dict[str, Any]:
    repository.database.command("ping")
    return {"status": "ok"}
