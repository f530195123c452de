"""What is sent back for a request, before it is bytes on a connection."""

from dataclasses import dataclass, field

Headers = list[tuple[str, str]]


@dataclass(slots=True)
class Reply:
    """A status, the headers that say what the body is, and the body. Its length is told where it is sent."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)
