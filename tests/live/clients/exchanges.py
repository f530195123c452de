"""What a server was asked, in FHIR's words for it: seen at the server, whatever a client says of itself."""

import gzip
import json
import re
from typing import Any

import flask

# The first that fits an exchange, written as `METHOD /path? If-Header status type-of-Bundle`, names it.
_TYPE, _ID = r"/[A-Z]\w+", r"/[\w.-]+"
_NAMES = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("CapabilityStatement", r"GET /metadata 200"),
        ("transaction", r"POST / 200 transaction-response"),
        ("batch", r"POST / 200 batch-response"),
        ("operation", rf"(GET|POST) {_TYPE}({_ID})?/\$[\w-]+\?? 200.*"),
        ("search by POST", rf"POST {_TYPE}/_search\?? 200 searchset"),
        ("next page", r"GET /\S*\? _cursor 200 searchset"),
        ("compartment search", rf"GET {_TYPE}{_ID}{_TYPE}\?? 200 searchset"),
        ("search", rf"GET {_TYPE}\?? 200 searchset"),
        ("history", rf"GET {_TYPE}{_ID}/_history 200 history"),
        ("read of a version", rf"GET {_TYPE}{_ID}/_history/\d+ 200"),
        ("read", rf"GET {_TYPE}{_ID}( If-None-Match)? 200"),
        ("conditional read", rf"GET {_TYPE}{_ID} If-None-Match 304"),
        ("create", rf"POST {_TYPE} 201"),
        ("conditional create", rf"POST {_TYPE}(\?| If-None-Exist) 20[01]"),
        ("update", rf"PUT {_TYPE}{_ID}( If-Match)? 200"),
        ("update of a stale version", rf"PUT {_TYPE}{_ID} If-Match 412 OperationOutcome"),
        ("conditional update", rf"PUT {_TYPE}\? 20[01]"),
        ("patch", rf"PATCH {_TYPE}{_ID} 200"),
        ("conditional patch", rf"PATCH {_TYPE}\? 200"),
        ("delete", rf"DELETE {_TYPE}{_ID} 204"),
        ("conditional delete", rf"DELETE {_TYPE}\? 204"),
        ("error", r".* 4\d\d OperationOutcome"),
    )
)
NAMES = tuple(name for name, _ in _NAMES)
_CONDITIONS = ("If-Match", "If-None-Match", "If-None-Exist")


def recorded(app: flask.Flask) -> list[str]:
    """The names of all exchanges from now on, as they happen; what has none stands as it was written."""
    seen: list[str] = []
    inner = app.wsgi_app

    def recording(environ: dict[str, Any], start: Any) -> list[bytes]:
        begun: list[Any] = []

        def starting(status: str, headers: list[tuple[str, str]], *problem: Any) -> Any:
            begun[:] = status, headers
            return start(status, headers, *problem)

        body = b"".join(inner(environ, starting))
        status, headers = begun
        seen.append(_named(_written(environ, status[:3], dict(headers).get("Content-Encoding"), body)))
        return [body]

    app.wsgi_app = recording  # type: ignore[assignment, method-assign]
    return seen


def _written(environ: dict[str, Any], status: str, packing: str | None, body: bytes) -> str:
    told = json.loads(gzip.decompress(body) if packing == "gzip" else body) if body else {}
    kind = told.get("type") if told.get("resourceType") == "Bundle" else None
    parts = [
        environ["REQUEST_METHOD"],
        (environ["PATH_INFO"].removeprefix("/fhir") or "/") + "?" * bool(environ["QUERY_STRING"]),
        *(name for name in _CONDITIONS if f"HTTP_{name.upper().replace('-', '_')}" in environ),
        "_cursor" if "_cursor=" in environ["QUERY_STRING"] else None,
        status,
        "OperationOutcome" if told.get("resourceType") == "OperationOutcome" else kind,
    ]
    return " ".join(filter(None, parts))


def _named(exchange: str) -> str:
    return next((name for name, pattern in _NAMES if pattern.fullmatch(exchange)), exchange)
