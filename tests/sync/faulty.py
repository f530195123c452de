"""A reverse proxy on loopback that misbehaves where a test says so: what stands between us and a hospital on a bad day.

It answers one request per connection. Links that the server behind it makes lead back to it, since it passes the Host header on.
"""

import http.client
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

PATIENCE = 30.0
# Bodies are asked for as they are: some faults change what is in them.
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "server", "date", "accept-encoding"})


@dataclass(frozen=True)
class Reply:
    """An answer, of the server behind or of the proxy's own making."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What happens to the requests that it is meant for: those of this method whose path and query hold `path` …"""

    act: Callable[["Exchange"], None]
    method: str = ""
    path: str = ""
    body: str = ""
    skip: int = 0
    """… after so many of them …"""
    times: int = 1_000_000
    """… and so many times."""
    met: int = 0

    def wants(self, exchange: "Exchange") -> bool:
        if self.method not in ("", exchange.command) or self.path not in unquote(exchange.path) or self.body.encode() not in exchange.sent:
            return False
        self.met += 1
        return self.skip < self.met <= self.skip + self.times

    @property
    def struck(self) -> int:
        """How often it has happened."""
        return max(0, min(self.met - self.skip, self.times))


class Proxy(ThreadingHTTPServer):
    """In front of the FHIR server at `behind` while the context is open. `seen` gives the (method, path) of every request so far."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, behind: str, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Exchange)
        self.behind = urlsplit(behind)
        self.url = f"http://127.0.0.1:{self.server_port}{self.behind.path}"
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str]] = []
        self.ended = threading.Event()
        self.turn = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *problem: object) -> None:
        self.ended.set()
        self.shutdown()
        self.server_close()

    def fault(self, act: Callable[["Exchange"], None], **where: Any) -> Fault:
        """From now on, only this goes wrong."""
        self.faults = [Fault(act, **where)]
        return self.faults[0]

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        self.faults = []


class Exchange(BaseHTTPRequestHandler):
    """One request on its way."""

    server: Proxy
    sent: bytes

    def _pass(self) -> None:
        self.sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.server.turn:
            self.server.seen.append((self.command, unquote(self.path)))
            fault = next((fault for fault in self.server.faults if fault.wants(self)), None)
        with suppress(ConnectionError):  # whoever asked may have been killed
            if fault:
                fault.act(self)
            else:
                self.answer(self.forward())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass

    def forward(self) -> Reply:
        """What the server behind says to it."""
        host, port = self.server.behind.hostname, self.server.behind.port
        connection = http.client.HTTPConnection(host or "", port, timeout=PATIENCE)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            connection.request(self.command, self.path, self.sent or None, headers)
            response = connection.getresponse()
            kept = {name: value for name, value in response.getheaders() if name.lower() not in _HOP}
            return Reply(response.status, response.read(), kept)
        finally:
            connection.close()

    def answer(self, reply: Reply, *, cut: int | None = None) -> None:
        """Send the reply; with `cut`, only so many bytes of the body that its headers promise."""
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[:cut])

    def log_message(self, format: str, *facts: object) -> None:
        """Nothing: the address of a request would be noise in the tests' output."""


def says(status: int, body: bytes = b"", media: str = "application/fhir+json", **headers: str) -> Callable[[Exchange], None]:
    """Answers by itself; the server behind hears nothing."""
    named = {"Content-Type": media, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return lambda exchange: exchange.answer(Reply(status, body, named))


def hangs(exchange: Exchange) -> None:
    """Never answers."""
    exchange.server.ended.wait(PATIENCE)


def drops(exchange: Exchange) -> None:
    """Closes the connection; the server behind hears nothing."""


def commits_and_drops(exchange: Exchange) -> None:
    """The server behind does what it was asked, and nobody is told."""
    exchange.forward()


def cuts_off(exchange: Exchange) -> None:
    """The answer ends in its middle."""
    reply = exchange.forward()
    exchange.answer(reply, cut=len(reply.body) // 2)


def changes(change: Callable[[dict[str, Any]], None]) -> Callable[[Exchange], None]:
    """The server behind answers, and its resource is tampered with on the way."""

    def act(exchange: Exchange) -> None:
        reply = exchange.forward()
        raw = json.loads(reply.body)
        change(raw)
        exchange.answer(Reply(reply.status, json.dumps(raw).encode(), reply.headers))

    return act


def drops_header(name: str) -> Callable[[Exchange], None]:
    """The server behind never sees this header."""

    def act(exchange: Exchange) -> None:
        del exchange.headers[name]
        exchange.answer(exchange.forward())

    return act
