"""The web server: the application on a socket. docs/decisions/007-web-server.md says why this one.

granian's Rust half (hyper) speaks HTTP: it parses, keeps connections alive, times out headers that do not come, refuses those that are too
large, and ends gracefully. Its Python half starts processes and takes over their signals; here it is left out, so the server is a part of
the process that asks for it, in production and in tests alike. What is used of it is not its public interface, so the version is pinned.
"""

import ipaddress
import logging
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from threading import BoundedSemaphore, Event
from time import monotonic
from types import SimpleNamespace
from typing import Any

import flask
from granian._granian import CallbackScheduler, SocketHolder, WorkerSignal, WSGIWorker
from granian.http import HTTP1Settings

from adapter.errors import Forbidden
from adapter.log import event
from server.errors import PortTaken

THREADS = 8
"""How many requests are worked on at once."""
MAX_CONNECTIONS = 256
GRACE_SECONDS = 30.0
"""How long a stop waits for the requests in flight."""
HEADER_SECONDS = 20
MAX_HEADER_BYTES = 64 * 1024

_BACKLOG = 1024
_IDLE_THREAD_SECONDS = 30
# A peer that is gone without a word is noticed after some 90 s, so that a body which it half sent does not hold a connection for ever.
_KEEPALIVE = {socket.TCP_KEEPIDLE: 60, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3} if sys.platform == "linux" else {}
# Not a Unix socket; and where each process may listen for itself, how many may wait to be accepted.
_HOLD = (False, _BACKLOG) if sys.platform.startswith(("linux", "freebsd")) else (False,)
# granian asks an event loop for this when it starts, and WSGI has none.
_NO_LOOP = SimpleNamespace(call_soon=None)
_FIXED: Mapping[str, Any] = {
    "SCRIPT_NAME": "",
    "wsgi.errors": sys.stderr,
    "wsgi.multiprocess": False,
    "wsgi.multithread": True,
    "wsgi.run_once": False,
    "wsgi.version": (1, 0),
}
_Environ = dict[str, Any]
_Headers = list[tuple[str, str]]


class Listening:
    """A server that answers. `port` is where."""

    def __init__(self, bound: socket.socket, application: Callable[..., Any], max_body: int, threads: int) -> None:
        self.port: int = bound.getsockname()[1]
        self._application, self._max_body = application, max_body
        self._threads, self._turns = threads, BoundedSemaphore(threads)
        self._stopping, self._over, self._ended = False, False, Event()
        self._signal = WorkerSignal()
        self._signal.add_cb(self._ended.set)
        worker = WSGIWorker(
            1,
            (None, SocketHolder(bound.detach(), *_HOLD)),
            None,
            # A thread reads a body before it is its turn, so as many may wait for one as there are connections: none keeps others waiting.
            py_threads=MAX_CONNECTIONS,
            py_threads_idle_timeout=_IDLE_THREAD_SECONDS,
            backpressure=MAX_CONNECTIONS,
            http1_opts=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000, max_buffer_size=MAX_HEADER_BYTES),
        )
        worker.serve_mtr(CallbackScheduler(_NO_LOOP, self._call, None, None, None), _NO_LOOP, self._signal)

    def stop(self, seconds: float = GRACE_SECONDS) -> bool:
        """Take no more requests, and wait until those in flight are answered; False if some were not within this time."""
        deadline = monotonic() + seconds
        if not self._stopping:
            # Once only: a second time would wait for the first to be done, and hold the interpreter meanwhile.
            self._stopping = True
            self._signal.set()
        if not self._ended.wait(seconds):
            return False
        # All connections are closed, but where a caller left early its request may still be worked on.
        taken = sum(self._turns.acquire(timeout=max(0.0, deadline - monotonic())) for _ in range(self._threads))
        self._over = taken == self._threads
        if taken:
            self._turns.release(taken)
        return self._over

    def _call(self, answering: Any, environ: _Environ) -> None:
        """What granian calls for each request: WSGI (PEP 3333) around the application, which finds the body read."""
        environ.update(_FIXED)
        environ["wsgi.input"] = BytesIO(_body(environ, self._max_body))
        with self._turns:
            streamed = None if self._over else _answer(self._application, answering, environ)
        if streamed:
            # It goes at its reader's pace, which is to keep nobody else waiting.
            answering.response_iter(*streamed)


@contextmanager
def listen(
    app: flask.Flask, host: str = "127.0.0.1", port: int = 8080, *, threads: int = THREADS, gated: bool = False
) -> Iterator[Listening]:
    """A server that answers as long as the context is open; its end waits for the requests in flight, up to GRACE_SECONDS.

    Port 0 takes a free one. Raises PortTaken, and Forbidden for a host beyond loopback unless callers are asked who they are (`gated`).
    """
    if not gated and not _is_loopback(host):
        raise Forbidden("Without authentication the server listens on loopback only, such as 127.0.0.1.")
    server = Listening(_bound(host, port), app, app.config["MAX_CONTENT_LENGTH"], threads)
    try:
        yield server
    finally:
        if not server.stop():
            event("server.cut", level=logging.WARNING, seconds=GRACE_SECONDS)


@contextmanager
def running(app: flask.Flask, *, threads: int = THREADS) -> Iterator[str]:
    """The base URL of a server beside the caller, on a free port of loopback, as long as the context is open."""
    with listen(app, port=0, threads=threads) as server:
        yield f"http://127.0.0.1:{server.port}"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _bound(host: str, port: int) -> socket.socket:
    name = "127.0.0.1" if host == "localhost" else host.strip("[]")
    bound = socket.socket(socket.AF_INET6 if ":" in name else socket.AF_INET)
    options = {
        (socket.SOL_SOCKET, socket.SO_REUSEADDR): 1,
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
        # An answer is often written in two pieces, and without this the second waits 40 ms for the first to be acknowledged.
        (socket.IPPROTO_TCP, socket.TCP_NODELAY): 1,
        **{(socket.IPPROTO_TCP, option): value for option, value in _KEEPALIVE.items()},
    }
    # A connection takes these from the socket that accepted it.
    for (level, option), value in options.items():
        bound.setsockopt(level, option, value)
    try:
        bound.bind((name, port))
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise PortTaken(f"{error.strerror}: the server cannot listen on port {port} of {host}.") from None
    return bound


def _answer(application: Callable[..., Any], answering: Any, environ: _Environ) -> tuple[int, _Headers, Iterator[bytes]] | None:
    """Send an answer that is held whole; one that is not is given back, to be sent piece by piece."""
    started: list[tuple[int, _Headers]] = []

    def start(status: str, headers: _Headers, _: Any = None) -> None:
        started[:] = [(int(status[:3]), headers)]

    chunks = application(environ, start)
    [(status, headers)] = started
    if isinstance(chunks, Iterator):
        return status, headers, chunks
    try:
        whole = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    answering.response_bytes(status, headers, whole)
    return None


def _body(environ: _Environ, limit: int) -> bytes:
    """The whole body, or where it is over the limit the beginning of it, which is enough to be refused for.

    The rest is then read and thrown away, within bounds: a client that still sends would not hear why it is refused.
    """
    stream, declared = environ["wsgi.input"], int(environ.get("CONTENT_LENGTH") or 0)
    # Reading tells a client that waits for it to go on (Expect: 100-continue).
    if ("HTTP_TRANSFER_ENCODING" not in environ and not declared) or ("HTTP_EXPECT" in environ and declared > limit):
        return b""
    body: bytes = stream.read(limit + 1)
    if len(body) > limit:
        left = limit
        while left > 0 and (more := stream.read(min(left, 2**16))):
            left -= len(more)
    if environ.pop("HTTP_TRANSFER_ENCODING", None):
        environ["CONTENT_LENGTH"] = str(len(body))
    return body
