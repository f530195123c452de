"""How a subscriber knows that a notification is from here: Standard Webhooks. https://github.com/standard-webhooks/standard-webhooks

Each subscription has a secret of its own, derived from one key of the site, so that there is nothing to store and nothing to leak.
"""

import base64
import hashlib
import hmac
import os
import secrets
import stat
import tempfile
from datetime import datetime
from pathlib import Path

from adapter.config import Settings
from adapter.errors import Invalid

_FILE = "subscriptions.key"
_SHORTEST = 32


def site_key(settings: Settings) -> bytes:
    """The key from which all secrets are derived: CASEBRIDGE_KEY, else that of this home folder, made when it is first needed.

    Raises Invalid for a key that is short, that other users can read, or that cannot be kept.
    """
    if settings.key is not None:
        if len(settings.key) < _SHORTEST:
            raise Invalid(f"CASEBRIDGE_KEY has at least {_SHORTEST} characters, such as those of `openssl rand -base64 32`.")
        return settings.key.encode()
    path = settings.home / _FILE
    try:
        if not path.exists():
            _make(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Invalid(f"Other users can read {path}: take that right from them (chmod 600), or set CASEBRIDGE_KEY.")
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"The key for subscriptions cannot be kept in {path} ({error.strerror}): set CASEBRIDGE_KEY.") from None


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, new = tempfile.mkstemp(dir=path.parent)  # the owner's alone
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(32))
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link is made only where there is none: of two processes that begin at once, both use the first one's key.
        path.hardlink_to(new)
    except FileExistsError:
        pass
    finally:
        Path(new).unlink()


def secret(key: bytes, queue: str) -> bytes:
    """The secret of the subscription with this queue: another one for one that is made anew under the same id."""
    return hmac.digest(key, f"subscription {queue}".encode(), hashlib.sha256)


def written(secret: bytes) -> str:
    """A secret as it is given to a subscriber."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def headers(secret: bytes, id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The headers that sign a request. `id` is the same each time it is sent again; the moment is that of this attempt."""
    timestamp = str(int(moment.timestamp()))
    digest = hmac.digest(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256)
    return {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}
