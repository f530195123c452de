"""One subscriber's endpoint over HTTP: a request is made there and nowhere else, and has an end whatever the other side does.

`http.client`, because it takes nothing from the environment (no proxy, no password of ~/.netrc), follows no redirect and keeps no cookie.
"""

import socket
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from threading import Event, Timer
from urllib.parse import urlsplit

from adapter.clock import Clock
from adapter.errors import RemoteTemporary
from adapter.fhir.retry import retry_after

_MAX_BODY = 64 * 1024
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Answer:
    """What a subscriber answered. `retry_after` is in seconds, None where it asks for none."""

    status: int
    retry_after: float | None


class Subscriber:
    """A connection to an endpoint, opened with the first request and used again as long as both sides keep it."""

    def __init__(self, endpoint: str, patience: float, clock: Clock) -> None:
        """`patience` is how many seconds a request may take, from the first byte sent to the last one read."""
        parts = urlsplit(endpoint)
        self._target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        seconds = min(patience, _CONNECT_SECONDS)
        self._connection = (
            HTTPSConnection(parts.hostname or "", parts.port, timeout=seconds, context=ssl.create_default_context())
            if parts.scheme == "https"
            else HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
        )
        self._patience, self._clock = patience, clock
        self._socket: socket.socket | None = None
        self._cut = False

    def __enter__(self) -> "Subscriber":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, method: str, under: str, headers: Iterable[tuple[str, str]], body: bytes) -> Answer:
        """The answer to a request of the endpoint, or of the path `under` it. Raises RemoteTemporary where there is none."""
        target = f"{self._target.rstrip('/')}/{under}" if under else self._target
        while True:
            kept = self._connection.sock is not None
            late = Event()
            try:
                with self._limited(late):
                    return self._exchanged(method, target, [*headers], body, late)
            except (OSError, HTTPException, UnicodeError) as error:  # UnicodeError: a host that cannot be a name
                self._connection.close()
                if late.is_set() or isinstance(error, TimeoutError):
                    raise RemoteTemporary(f"The endpoint did not answer within {self._patience:g} s.") from None
                # A connection that was kept may have been closed over there meanwhile, which says nothing of the request.
                if not kept or self._cut:
                    raise RemoteTemporary(f"The endpoint cannot be reached ({type(error).__name__}).") from None

    def cut(self) -> None:
        """End the request that is being made, from another thread, and make none any more."""
        self._cut = True
        self._shut()

    def _exchanged(self, method: str, target: str, headers: list[tuple[str, str]], body: bytes, late: Event) -> Answer:
        connection = self._connection
        if connection.sock is None:
            connection.connect()
            self._socket = connection.sock
        if self._cut or self._socket is None:
            raise ConnectionAbortedError
        self._socket.settimeout(self._patience)
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if body or method in ("POST", "PUT"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body or None)
        response = connection.getresponse()
        if late.is_set():
            # Headers that are cut off look like headers that have ended.
            raise TimeoutError
        self._drain(response)
        named = {name.title(): value for name, value in response.headers.items()}
        return Answer(response.status, retry_after(named, self._clock))

    def _drain(self, response: HTTPResponse) -> None:
        """Read a short body, so that the connection can be used again; of an answer only the status counts."""
        if response.length is not None and response.length <= _MAX_BODY:
            with suppress(OSError, HTTPException):
                response.read()
        if not response.isclosed():
            self._connection.close()

    @contextmanager
    def _limited(self, late: Event) -> Iterator[None]:
        """A time-out is for one wait on the socket; who sends a byte now and then would never meet it."""

        def end() -> None:
            late.set()
            self._shut()

        timer = Timer(self._patience, end)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # Not the SSL socket's own shutdown: it would take the encryption from under the thread that reads.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
