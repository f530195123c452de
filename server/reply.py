"""What is sent back for a request, before it is bytes on a connection."""

from collections.abc import Iterator
from dataclasses import dataclass, field

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Stream:
    """A body that is not held in memory: its pieces are made as they are sent. `length` is in bytes, None where it is not known."""

    pieces: Iterator[bytes]
    length: int | None
    around: tuple[bytes, bytes] = (b"", b"")
    """Where they are a part of a file of lines: what stands before and behind them in the lines that they cut."""


@dataclass(slots=True)
class Reply:
    """A status, the headers that say what the body is, and the body. Its length is told where it is sent."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)
    stream: Stream | None = None
    """Instead of `body`."""

    @property
    def length(self) -> int | None:
        """Of the body, in bytes; None where it is not known before it is sent."""
        return self.stream.length if self.stream else len(self.body)
