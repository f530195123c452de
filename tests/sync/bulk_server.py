"""A server that exports in bulk, in front of a FHIR server that cannot: kick-off, status and files of a test's making.

It is a `Proxy`, so everything else goes to the server behind, and a test may let anything go wrong on top.
"""

import gzip
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.sync.faulty import Exchange, Fault, Proxy, Reply

TIME = "2025-04-22T13:00:00.000Z"


def ndjson(resources: Iterable[Any]) -> bytes:
    """One resource a line; a text stands as it is."""
    return b"".join(f"{each if isinstance(each, str) else json.dumps(each)}\n".encode() for each in resources)


@dataclass(frozen=True)
class Made:
    """One file of an export."""

    type: str
    text: bytes
    kind: str = "output"
    count: int | None = None


@dataclass
class BulkServer:
    """`files` is what the next export will hold; the rest is how it behaves and what it was asked."""

    proxy: Proxy
    files: list[Made] = field(default_factory=list)
    time: str = TIME
    looks: int = 0
    """How often it says that it is still at work."""
    ranges: bool = True
    packed: str = ""
    """`transfer`: answers are packed for those who take that; `file`: the files themselves are."""
    token: bool = True
    host: str = ""
    """Where the files are; empty for this server itself."""
    begun: list[dict[str, list[str]]] = field(default_factory=list)
    """The parameters of each export that was asked for."""
    levels: list[str] = field(default_factory=list)
    reads: list[tuple[str, str, int, str]] = field(default_factory=list)
    """(file, range asked for, bytes answered, credentials) of each request for a file."""
    cancelled: list[str] = field(default_factory=list)
    exports: dict[str, list[Made]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.mend()

    @property
    def url(self) -> str:
        return self.proxy.url

    def __enter__(self) -> Self:
        self.proxy.__enter__()
        return self

    def __exit__(self, *problem: object) -> None:
        self.proxy.__exit__(*problem)

    def fault(self, act: Callable[[Exchange], None], **where: Any) -> Fault:
        """From now on this goes wrong too."""
        self.proxy.faults.insert(0, Fault(act, **where))
        return self.proxy.faults[0]

    def mend(self) -> None:
        """Nothing goes wrong any more."""
        routes = {"$export": self._begin, "/export-status/": self._status, "/export-files/": self._file}
        self.proxy.faults = [Fault(act, path=path) for path, act in routes.items()]

    def expire(self) -> None:
        """It no longer knows the exports it made."""
        self.exports.clear()

    def _begin(self, exchange: Exchange) -> None:
        parts = urlsplit(exchange.path)
        if exchange.headers.get("Prefer") != "respond-async":
            exchange.answer(Reply(400))
            return
        name = str(len(self.begun))
        self.begun.append(parse_qs(parts.query))
        self.levels.append(parts.path.removeprefix("/fhir/").removesuffix("$export"))
        self.exports[name] = list(self.files)
        exchange.answer(Reply(202, headers={"Content-Location": f"/fhir/export-status/{name}"}))

    def _status(self, exchange: Exchange) -> None:
        name = exchange.path.rpartition("/")[2]
        if exchange.command == "DELETE":
            self.cancelled.append(name)
            exchange.answer(Reply(202 if self.exports.pop(name, None) is not None else 404))
        elif name not in self.exports:
            exchange.answer(Reply(404))
        elif self.looks:
            self.looks -= 1
            exchange.answer(Reply(202, headers={"X-Progress": "40% done", "Retry-After": "0"}))
        else:
            headers = {"Content-Type": "application/json"}
            exchange.answer(Reply(200, json.dumps(self._manifest(name)).encode(), headers))

    def _manifest(self, name: str) -> dict[str, Any]:
        listed: dict[str, list[dict[str, Any]]] = {"output": [], "deleted": [], "error": []}
        for number, made in enumerate(self.exports[name]):
            url = f"{self.host or self.url}/export-files/{name}/{number}"
            listed[made.kind].append({"type": made.type, "url": url} | ({"count": made.count} if made.count is not None else {}))
        return {"transactionTime": self.time, "request": self.url, "requiresAccessToken": self.token, **listed}

    def _file(self, exchange: Exchange) -> None:
        if (reply := self.reply(exchange)) is not None:
            exchange.answer(reply)

    def reply(self, exchange: Exchange) -> Reply:
        """The answer that a request for a file gets."""
        name, number = exchange.path.split("/")[-2:]
        asked, credentials = exchange.headers.get("Range", ""), exchange.headers.get("Authorization", "")
        reply = self._answer(exchange, asked, name, int(number))
        self.reads.append((number, asked, len(reply.body), credentials))
        return reply

    def _answer(self, exchange: Exchange, asked: str, name: str, number: int) -> Reply:
        if name not in self.exports:
            return Reply(404)
        text = self.exports[name][number].text
        headers = {"Content-Type": "application/fhir+ndjson"}
        if self.packed == "file":
            text = gzip.compress(text)
        if asked and self.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(text):
                return Reply(416)
            return Reply(206, text[start:], {**headers, "Content-Range": f"bytes {start}-{len(text) - 1}/{len(text)}"})
        if self.packed == "transfer" and "gzip" in exchange.headers.get("Accept-Encoding", ""):
            return Reply(200, gzip.compress(text), {**headers, "Content-Encoding": "gzip"})
        return Reply(200, text, headers)

    def cuts(self, after: int) -> Callable[[Exchange], None]:
        """A file's answer ends after so many bytes of those that its headers promise."""
        return lambda exchange: exchange.answer(self.reply(exchange), cut=after)

    def fades(self, after: int) -> Callable[[Exchange], None]:
        """A file's answer ends after so many bytes, and promised no length."""

        def act(exchange: Exchange) -> None:
            reply = self.reply(exchange)
            exchange.send_response(reply.status)
            for name, value in reply.headers.items():
                exchange.send_header(name, value)
            exchange.end_headers()
            with suppress(ConnectionError):
                exchange.wfile.write(reply.body[:after])

        return act
