"""A subscriber's side of a rest-hook: a real HTTP server on loopback that keeps what it is sent and answers as the test wants."""

import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PATIENCE = 60


@dataclass(frozen=True)
class Got:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def about(self) -> str:
        """What the request says it is about: event/Type/id/version, or handshake/version."""
        return self.headers["webhook-id"].partition("/")[2]


Answer = int | tuple[int, dict[str, str]]


class Receiver:
    """Keeps all that it is sent in `got`, and what it took in `taken`; `answer` decides by request, for 200 unless a test sets another."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self.got: list[Got] = []
        self.taken: list[Got] = []
        self.answer: Callable[[Got], Answer] = lambda got: 200
        self.freed = threading.Event()
        """Set at the end: who hangs in a request is let go."""
        self.connections = 0
        self._open: list[socket.socket] = []
        self._context, self._port = context, 0
        self._server: ThreadingHTTPServer | None = None
        self.open()

    @property
    def url(self) -> str:
        return f"https://localhost:{self._port}" if self._context else f"http://127.0.0.1:{self._port}"

    def open(self) -> None:
        """Listen, at the same address as before."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                receiver.connections += 1
                receiver._open.append(self.request)
                super().setup()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                got = Got(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                receiver.got.append(got)
                answer = receiver.answer(got)
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                if status < 300:
                    receiver.taken.append(got)
                self.send_response(status)
                for name, value in {"Content-Length": "0", **headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            do_GET = do_POST = do_PUT = do_DELETE = answer

            def log_message(self, *_: Any) -> None: ...

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        self._server.daemon_threads = True
        if self._context:
            self._server.socket = self._context.wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Listen no more: who connects is refused."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def hang_up(self) -> None:
        """Close the connections that are open."""
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def told(self) -> list[str]:
        """What it was told and took, the handshakes left out."""
        return [got.about for got in self.taken if not got.about.startswith("handshake")]

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *_: object) -> None:
        self.freed.set()
        self.close()


def eventually(true: Callable[[], Any]) -> bool:
    """Whether it comes true before patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
