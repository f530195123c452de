"""The HTTP server: a Flask application around a repository; `server.web` puts it on a socket."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flask
from werkzeug.wsgi import get_input_stream

from adapter.config import Settings
from adapter.fhir.resource import laid_out
from adapter.store.cost import Costs
from adapter.store.repository import Repository
from server import api, compression, console, errors, front, probes
from server.audit.access import tells
from server.fhir import headers
from server.fhir.messages import Answer, Request
from server.fhir.routes import endpoint
from server.fhir.sealed import Seal
from server.fhir.sizes import pairs
from server.limits import Limits
from server.metrics import Metrics
from server.reply import Reply
from server.web import listen, running

if TYPE_CHECKING:
    # What it needs costs a server without a gate a quarter of a second of its start.
    from server.auth.gate import Gate

__all__ = ["create_app", "listen", "running"]

MAX_BODY = 32 * 2**20
# A form of many empty fields takes fifty times its size, and Werkzeug counts the fields of multipart forms alone.
MAX_FORM = 2**20
# Without a check of Host, a web page could reach a server on loopback by a name of its own (DNS rebinding).
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


def create_app(
    repository: Repository,
    *,
    max_body: int = MAX_BODY,
    hosts: Sequence[str] = LOOPBACK_NAMES,
    origins: Sequence[str] = (),
    integrity: bool = False,
    handling: str = "strict",
    url: str | None = None,
    subscribers: Sequence[str] = (),
    plans: Path | None = None,
    exports: Path | None = None,
    gate: "Gate | None" = None,
    limits: Limits | None = None,
    scan: int = 0,
    key: bytes | None = None,
) -> flask.Flask:
    """The application: the console at /, FHIR R4 under /fhir, /health, /ready and /metrics. `max_body` is in bytes, of a packed body packed
    and unpacked; requests for hosts other than `hosts` are refused.

    `origins` are those whose web pages may use it, besides its own; `integrity` refuses writes that leave references to what is not here.
    `handling`, strict or lenient, is for search parameters that are not known, where the caller has no preference. `url` is the address by
    which callers know a reverse proxy before the server; `subscribers` are URLs under which notifications may be sent, besides this
    machine; `plans` is the folder in which plans to sync wait until they are carried out, `exports` that of the files of exports. With
    a `gate` everybody is asked who they are; without, nobody. Raises Invalid for an origin or address that is none.

    `limits` is how often each address may ask where there is no gate, which has limits of its own. A search may look at `scan` resources of
    a type one by one, 0 for any number. `key` seals what links say to themselves: the same for all processes; without, one of this process.
    """
    app = flask.Flask("casebridge", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=max_body)
    exported = exports or Settings.from_env().export_folder(repository.database.name)
    answer = endpoint(repository, exported, cors=bool(origins), integrity=integrity, gated=gate is not None)
    limits = gate.limits if gate else limits or Limits()
    site = {
        **{"integrity": integrity, "handling": handling, "subscribers": subscribers},
        **{"costs": Costs(repository.database, scan), "seal": Seal(key or os.urandom(32))},
    }

    def fhir(environ: front.Environ, address: str, path: str) -> Reply:
        base = f"{address}/fhir"
        if gate and (configuration := gate.configuration(path, address)):
            return configuration
        # Before the body is read: from whom the server does not know it takes none.
        principal = gate.principal(environ, path) if gate else None
        asks = limits.caller(principal.name, principal.rate) if principal else limits.address(environ)
        request = _request(environ, base, path, max_body, counted=lambda many: limits.charge(asks, many - 1), **site)
        if gate and principal:
            known = replace(request, asker=principal.name, owns=principal.owner, acts_as=principal.acts_as)
            request = replace(known, grant=principal.grant, sight=gate.sight(principal))
        found = answer(request)
        tells(found.tells, found.purpose)
        return _reply(found, base, headers.pretty(request))

    metrics = Metrics()
    probes.install(app, repository, metrics)
    console.install(app, repository, plans or Settings.from_env().home / "plans")
    app.register_error_handler(Exception, _failed)
    app.before_request(lambda: _take_form(min(max_body, MAX_FORM)))
    rest = api.beside(app.wsgi_app, repository, max_body)
    if gate:
        gate.install(app)
        rest = gate.account.of_pages(gate.before_api(rest, api.PREFIX))

    def enter(environ: front.Environ) -> None:
        if environ["PATH_INFO"] not in probes.PATHS:
            limits.enter(limits.address(environ))

    handler = gate.account.of_fhir(fhir) if gate else fhir
    whole = front.front(handler, rest, metrics, hosts=hosts, origins=origins, url=url, enter=None if gate else enter)
    app.wsgi_app = whole  # type: ignore[assignment, method-assign]
    return app


def _take_form(most: int) -> None:
    """Let no page read a form of more bytes."""
    flask.request.max_content_length = most


def _request(environ: front.Environ, base: str, path: str, max_body: int, **site: Any) -> Request:
    """The request, with what the site says to each."""
    named = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    named["content-type"] = environ.get("CONTENT_TYPE") or headers.FHIR_JSON
    body = get_input_stream(environ, max_content_length=max_body).read() if environ.get("CONTENT_LENGTH") else b""
    query = environ.get("QUERY_STRING")
    return Request(
        method="GET" if environ["REQUEST_METHOD"] == "HEAD" else environ["REQUEST_METHOD"],
        path=path,
        base=base,
        params=pairs(query.encode("latin-1").decode(errors="replace")) if query else [],
        headers=named,
        body=compression.unpacked(body, named.get("content-encoding", ""), max_body) if body else body,
        **site,
    )


def _reply(answer: Answer, base: str, pretty: bool) -> Reply:
    found = list(headers.written(answer, base).items())
    if answer.stream:
        return Reply(answer.status, b"", found, answer.stream)
    if answer.text is None:
        return Reply(answer.status, b"", found)
    text = laid_out(answer.text) if pretty else answer.text
    return Reply(answer.status, text.encode(), found)


def _failed(error: Exception) -> flask.Response:
    found = front.told(errors.named(error), False)
    return flask.Response(found.body, found.status, found.headers)
