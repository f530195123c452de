"""What a link of ours must say and nobody else is to read: the values of a search, sealed into one parameter.

A URL stands in the logs of proxies and the history of browsers. The value that a page was sorted by up to its end, such as a name, is a
part of the next link; and who searches by POST does so to keep names and identifiers out of URLs (http://hl7.org/fhir/R4/http.html#search).
"""

import base64
import binascii
import hmac
import json
import zlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from adapter.store.syntax import malformed
from server.fhir.sizes import TEXT_AT_MOST

Params = Sequence[tuple[str, str]]

PARAMETER = "_cursor"


class Seal:
    """Seals and opens by one key, the same in all processes of a site.

    AES-SIV (RFC 5297) needs no nonce: the same link is the same text each time it is told.
    """

    def __init__(self, key: bytes) -> None:
        self._box = AESSIV(hmac.digest(key, b"casebridge links", "sha512"))

    def sealed(self, place: str, cursor: str | None, params: Params = ()) -> str:
        """The text for a cursor, None for the beginning, and parameters that go with it; good at one `place`, for one caller, alone."""
        said = zlib.compress(json.dumps([cursor, *params]).encode(), 1)
        return base64.urlsafe_b64encode(self._box.encrypt(said, [place.encode()])).decode().rstrip("=")

    def opened(self, place: str, text: str) -> tuple[str | None, list[tuple[str, str]]]:
        """The cursor and the parameters. Raises Invalid for what was not sealed here, for this place."""
        try:
            said = self._box.decrypt(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), [place.encode()])
        except (InvalidTag, ValueError, binascii.Error):
            raise malformed(PARAMETER, "the value of a next link of this same search") from None
        cursor, *params = json.loads(zlib.decompress(said, bufsize=TEXT_AT_MOST))
        return cursor, [(name, value) for name, value in params]
