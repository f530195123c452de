"""Which web pages may ask: none of another origin, unless a setting names it. https://fetch.spec.whatwg.org/#http-cors-protocol

A browser sends some requests of any page (a form, a body without a type) without asking first, so those that could write are refused here.
"""

from collections.abc import Sequence
from typing import Any

from adapter.errors import Forbidden, Invalid
from server.reply import Reply

_ASKED = (
    "Accept, Authorization, Casebridge-Actor, Content-Type, Idempotency-Key, If-Match, If-Modified-Since, If-None-Exist, "
    "If-None-Match, Prefer, X-Request-Id"
)
_ANSWERED = "Content-Location, ETag, Last-Modified, Location, Retry-After, X-Progress, X-Request-Id"
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def origins(named: Sequence[str]) -> frozenset[str]:
    """The origins (such as `https://app.example`) whose pages may use the server. Raises Invalid for `*` and what is no origin.

    Every origin at once is not offered: nobody is asked who they are, so any page in a browser on this machine could read all that is here.
    """
    for origin in named:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2 or origin.endswith("/"):
            raise Invalid("An origin is written like https://app.example or http://localhost:3000, each by its own name.")
    return frozenset(named)


def first(environ: dict[str, Any], own: str, allowed: frozenset[str]) -> Reply | None:
    """The answer to a browser that asks whether its page may ask; None for all other requests.

    Pages of `own`, the server's address, may always. Raises Forbidden for a page that may not.
    """
    origin = environ.get("HTTP_ORIGIN")
    if origin is None:
        return None
    method = environ["REQUEST_METHOD"]
    if origin in allowed:
        return Reply(204) if method == "OPTIONS" and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in environ else None
    if method not in _READING and origin != own:
        raise Forbidden("A web page of this origin may not use this server.")
    return None


def tell(reply: Reply, environ: dict[str, Any], allowed: frozenset[str]) -> None:
    """Tell the browser whether the page that asked may read the answer."""
    if not allowed:
        return
    reply.headers.append(("Vary", "Origin"))
    origin = environ.get("HTTP_ORIGIN")
    if origin in allowed:
        reply.headers += [("Access-Control-Allow-Origin", origin), ("Access-Control-Expose-Headers", _ANSWERED)]
        if environ["REQUEST_METHOD"] == "OPTIONS":
            reply.headers += [
                ("Access-Control-Allow-Headers", _ASKED),
                ("Access-Control-Allow-Methods", _METHODS),
                ("Access-Control-Max-Age", "600"),
            ]
