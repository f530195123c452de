"""gzip, both ways. https://www.rfc-editor.org/rfc/rfc9110#section-8.4"""

import re
import zlib
from collections.abc import Iterable, Iterator

from adapter.errors import Invalid, TooLarge, UnsupportedMedia
from server.reply import Reply, Stream

# A part of a file is counted in bytes of the file itself.
_PARTIAL = 206
SMALLEST = 1024
"""Bytes below which packing an answer saves nothing."""
# Level 1 takes 9 of 10 bytes off a page of resources; level 6 takes a little more off in three times the time.
_LEVEL = 1
_GZIP = 16 + zlib.MAX_WBITS
_REFUSED = re.compile(r"q\s*=\s*0(?:\.0*)?").fullmatch


def pack(reply: Reply, accepted: str) -> None:
    """Pack the body if it is worth it and the caller takes gzip. An ETag of ours is weak, so it holds for both forms."""
    if reply.length is None or reply.length < SMALLEST or reply.status == _PARTIAL:
        return
    reply.headers.append(("Vary", "Accept-Encoding"))
    if takes_gzip(accepted):
        if reply.stream:
            reply.stream = Stream(_packed(reply.stream.pieces), None)
        else:
            reply.body = b"".join(_packed([reply.body]))
        reply.headers.append(("Content-Encoding", "gzip"))


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding allows gzip."""
    weights = {name.strip(): weight.strip() for name, _, weight in (part.partition(";") for part in accepted.lower().split(","))}
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*")))
    return weight is not None and not _REFUSED(weight)


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body as it was before it was packed. Raises TooLarge beyond `limit` bytes, Invalid where it is not whole, UnsupportedMedia."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            unpacker = zlib.decompressobj(_GZIP)
        case _:
            raise UnsupportedMedia("A body may be packed with gzip, and with nothing else.")
    try:
        found = unpacker.decompress(body, limit + 1)
    except zlib.error:
        raise Invalid("The body is not gzip.") from None
    if len(found) > limit:
        raise TooLarge(f"The body is larger than {limit} bytes when it is unpacked.")
    if not unpacker.eof or unpacker.unused_data:
        raise Invalid("The body is not one whole gzip stream.")
    return found
