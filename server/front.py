"""What every request passes on its way in and every answer on its way out, whichever part of the server it is for.

Plain WSGI (PEP 3333) and no framework: of a read, Flask's routing, hooks and views of a request cost as much as all that is done here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from time import perf_counter
from typing import Any

from adapter.errors import CasebridgeError, Invalid, Throttled
from server import access, browsers, compression, cors, errors
from server.fhir import headers
from server.metrics import Metrics
from server.reply import Headers, Reply

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
Handler = Callable[[Environ, str, str], Reply]
"""Answers a request of the FHIR endpoint: its environment, the address by which the caller knows this server, and its path below /fhir."""

# Without it the web server tells its own name.
_SERVER = ("Server", "casebridge")
_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}
# https://www.rfc-editor.org/rfc/rfc9110#section-6.4.1
_BODILESS = frozenset({204, 304})
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?").fullmatch
_URL = re.compile(r"https?://([A-Za-z0-9._-]+(?::[0-9]{1,5})?)").fullmatch


def front(
    fhir: Handler,
    rest: Application,
    metrics: Metrics,
    *,
    hosts: Sequence[str],
    origins: Sequence[str],
    url: str | None = None,
    enter: Callable[[Environ], None] | None = None,
) -> Application:
    """The WSGI application: `fhir` answers what is under /fhir, `rest` all else.

    A request for another host than `hosts` and that of `url`, or from a web page that may not ask, is refused. `url` is the address of a
    reverse proxy before this server: requests that come by its name are told it. `enter` is asked before anything else
    is done, and raises for a request that is not let in. Raises Invalid for what is no origin or no address.
    """
    allowed, proxied = cors.origins(origins), _proxied(url)
    names = frozenset(hosts)

    def reply(environ: Environ) -> Reply:
        path = environ["PATH_INFO"]
        for_fhir = path == "/fhir" or path.startswith("/fhir/")
        try:
            address = _address(environ, names, proxied)
            if address in proxied.values():
                _seen_through(environ, address)
            if enter:
                enter(environ)
            early = cors.first(environ, address, allowed)
            if early is not None:
                return early
            return fhir(environ, address, _decoded(path[6:])) if for_fhir else _passed(rest, environ)
        except Exception as error:  # noqa: BLE001 - the request handler: whatever happens, the caller gets an answer, and no text of it
            return told(errors.named(error), for_fhir)

    def application(environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        began = perf_counter()
        id = access.request_id(environ.get("HTTP_X_REQUEST_ID", ""))
        metrics.in_flight.inc()
        try:
            found = reply(environ)
            cors.tell(found, environ, allowed)
            browsers.tell(found, environ["wsgi.url_scheme"])
            compression.pack(found, environ.get("HTTP_ACCEPT_ENCODING", ""))
        finally:
            metrics.in_flight.dec()
        access.tell(metrics, environ, id, found, perf_counter() - began)
        if found.status not in _BODILESS and found.length is not None:
            found.headers.append(("Content-Length", str(found.length)))
        found.headers += [(access.HEADER, id), _SERVER]
        start_response(_STATUS_LINES[found.status], found.headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return found.stream.pieces if found.stream else [found.body]

    return application


def told(error: CasebridgeError, for_fhir: bool) -> Reply:
    """The answer that tells an error: an OperationOutcome to callers of FHIR, problem JSON to others."""
    text, kind = (errors.as_outcome(error), headers.FHIR_JSON) if for_fhir else (errors.as_problem(error), errors.PROBLEM_JSON)
    allow = [("Allow", ", ".join(error.allowed))] if isinstance(error, errors.MethodNotAllowed) else []
    challenge = [("WWW-Authenticate", error.challenge)] if isinstance(error, errors.TokenWanted) else []
    later = [("Retry-After", str(error.retry_after))] if isinstance(error, Throttled) else []
    return Reply(error.status, text.encode(), [("Content-Type", kind), *headers.UNCACHED.items(), *allow, *challenge, *later])


def _proxied(url: str | None) -> dict[str, str]:
    """The proxy's address by the host that it passes on."""
    if url is None:
        return {}
    found = _URL(url)
    if found is None:
        raise Invalid("The address of the server is written like https://fhir.example, without a path.")
    return {found[1].lower(): url}


def _address(environ: Environ, names: frozenset[str], proxied: Mapping[str, str]) -> str:
    """The address by which the caller knows this server. Raises Invalid for a name that it does not go by."""
    # HTTP/1.0 need not name a host.
    host = environ.get("HTTP_HOST") or f"{environ['SERVER_NAME']}:{environ['SERVER_PORT']}"
    if host.lower() in proxied:
        return proxied[host.lower()]
    found = _HOST(host)
    if found is None or found[1].lower() not in names:
        raise Invalid("This server does not go by that name.")
    return f"{environ['wsgi.url_scheme']}://{host}"


def _seen_through(environ: Environ, address: str) -> None:
    """What a proxy hides: how the caller came to it, and from where, which is the last that it says: before that the caller may speak."""
    environ["wsgi.url_scheme"] = address.partition(":")[0]
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()


def _decoded(path: str) -> str:
    return path if path.isascii() else path.encode("latin-1").decode(errors="replace")


def _passed(rest: Application, environ: Environ) -> Reply:
    found = Reply(500)

    def start(status: str, headers: Headers, *_: Any) -> None:
        found.status = int(status[:3])
        found.headers = [(name, value) for name, value in headers if name != "Content-Length"]

    # HEAD is GET whose body is left out where all answers are sent, so that its length is told.
    chunks = rest({**environ, "REQUEST_METHOD": "GET"} if environ["REQUEST_METHOD"] == "HEAD" else environ, start)
    try:
        found.body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return found
