"""Which web pages may ask: none of another origin, unless a setting names it. https://fetch.spec.whatwg.org/#http-cors-protocol

A browser sends some requests of any page (a form, a body without a type) without asking first, so those that could write are refused here.
"""

from collections.abc import Sequence

import flask

from adapter.errors import Forbidden, Invalid

_ASKED = "Accept, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer"
_ANSWERED = "Content-Location, ETag, Last-Modified, Location"
_METHODS = "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


def install(app: flask.Flask, origins: Sequence[str]) -> None:
    """Let pages of `origins` (such as `https://app.example`) use the application. Raises Invalid for `*` and what is no origin.

    Every origin at once is not offered: nobody is asked who they are, so any page in a browser on this machine could read all that is here.
    """
    for origin in origins:
        if not origin.startswith(("http://", "https://")) or origin.count("/") != 2 or origin.endswith("/"):
            raise Invalid("An origin is written like https://app.example or http://localhost:3000, each by its own name.")
    allowed = frozenset(origins)

    @app.before_request
    def checked() -> flask.Response | None:
        origin = flask.request.headers.get("Origin")
        if origin is None or origin == flask.request.host_url.rstrip("/") or origin in allowed:
            asks = flask.request.method == "OPTIONS" and "Access-Control-Request-Method" in flask.request.headers
            return flask.Response(status=204) if asks and origin in allowed else None
        if flask.request.method not in _READING:
            raise Forbidden("A web page of this origin may not use this server.")
        return None

    @app.after_request
    def told(response: flask.Response) -> flask.Response:
        if not allowed:
            return response
        response.vary.add("Origin")
        origin = flask.request.headers.get("Origin")
        if origin in allowed:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = _ANSWERED
            if flask.request.method == "OPTIONS":
                response.headers["Access-Control-Allow-Headers"] = _ASKED
                response.headers["Access-Control-Allow-Methods"] = _METHODS
                response.headers["Access-Control-Max-Age"] = "600"
        return response
