"""How we prove to a remote who we are: not at all, basic, or bearer.

A secret lives in a file or an environment variable and is read for each request: it is never stored, logged or shown, and a rotated token
is picked up at once. The client follows no redirect and no link to another host, so a secret stays where it belongs.
"""

import base64
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from requests import PreparedRequest
from requests.auth import AuthBase

from adapter.errors import Invalid

_KINDS = ("none", "basic", "bearer")
_KEYS = {"kind", "user", "secret_file", "secret_env"}


@dataclass(frozen=True)
class Secret:
    """Where a secret is, never the secret: exactly one of `file` and `env` is set."""

    file: str | None = None
    env: str | None = None

    @property
    def place(self) -> str:
        return f"the file {self.file}" if self.file else f"the environment variable {self.env}"

    def read(self) -> str:
        """The secret as it is now. Raises Invalid, naming the place, where it is missing or cannot be a header."""
        text = self._text().strip()
        if not text:
            raise Invalid(f"There is no secret for the remote: set {self.place}.")
        # requests quotes a header that holds a line break in its own error text; refuse it before that.
        if not text.isprintable():
            raise Invalid(f"The secret in {self.place} holds a line break or a control character.")
        return text

    def _text(self) -> str:
        if self.file is None:
            return os.environ.get(self.env or "", "")
        try:
            return Path(self.file).expanduser().read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"The secret for the remote cannot be read ({type(error).__name__}): set {self.place}.") from None


@dataclass(frozen=True)
class Basic(AuthBase):
    """HTTP basic authentication, UTF-8 (RFC 7617)."""

    user: str
    secret: Secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        pair = f"{self.user}:{self.secret.read()}".encode()
        request.headers["Authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        return request


@dataclass(frozen=True)
class Bearer(AuthBase):
    """A bearer token (RFC 6750)."""

    secret: Secret

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.secret.read()}"
        return request


def auth_from(config: Mapping[str, str | None]) -> AuthBase | None:
    """The authentication that a remote's settings describe: `kind`, `user` for basic, and `secret_file` or `secret_env`.

    Raises Invalid for settings that cannot work, and for a secret written into the settings themselves.
    """
    given = {key: value for key, value in config.items() if value}
    kind = given.get("kind", "none")
    if kind not in _KINDS:
        raise Invalid(f"The authentication kind must be one of {', '.join(_KINDS)}.", expression=["kind"])
    if unknown := sorted(given.keys() - _KEYS):
        text = f"Unknown authentication settings: {', '.join(unknown)}. A secret goes into a file or a variable."
        raise Invalid(text, expression=unknown)
    if kind == "none":
        return None
    file, env = given.get("secret_file"), given.get("secret_env")
    if (file is None) == (env is None):
        raise Invalid(f"{kind} authentication needs either secret_file or secret_env.", expression=["secret_file", "secret_env"])
    secret = Secret(file=file, env=env)
    if kind == "bearer":
        return Bearer(secret)
    user = given.get("user", "")
    if not user or ":" in user:
        raise Invalid("Basic authentication needs a user, and it cannot hold a colon.", expression=["user"])
    return Basic(user, secret)
