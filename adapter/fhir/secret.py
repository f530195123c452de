"""Where a secret is: a file, an environment variable, or the system's keyring. It is read when it is needed and never kept."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from adapter.errors import Invalid


@dataclass(frozen=True)
class Secret:
    """Where a secret is, never the secret: exactly one of `file`, `env` and `keyring` is set; `keyring` is `service/user`."""

    file: str | None = None
    env: str | None = None
    keyring: str | None = None

    @property
    def place(self) -> str:
        """Where it is, in words."""
        if self.file is not None:
            return f"the file {self.file}"
        return f"the keyring entry {self.keyring}" if self.keyring is not None else f"the environment variable {self.env}"

    def read(self) -> str:
        """The secret as it is now. Raises Invalid, naming the place, where it is missing, open to others, or cannot be a header."""
        text = self._text().strip()
        if not text:
            raise Invalid(f"There is no secret for the remote: set {self.place}.")
        # requests quotes a header that holds a line break in its own error text; refuse it before that.
        if not text.isprintable():
            raise Invalid(f"The secret in {self.place} holds a line break or a control character.")
        return text

    def _text(self) -> str:
        if self.keyring is not None:
            return _from_keyring(self.keyring)
        if self.file is None:
            return os.environ.get(self.env or "", "")
        try:
            return read_private(Path(self.file).expanduser()).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise Invalid(f"The secret for the remote cannot be read ({type(error).__name__}): set {self.place}.") from None


def read_private(path: Path) -> bytes:
    """What is in a file that only its owner and group can read. Raises Invalid where others can, and OSError."""
    with path.open("rb") as file:
        # Not the group: it is how a service account is given what root owns, on Debian (ssl-cert) as on Kubernetes (fsGroup).
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o007:
            raise Invalid(f"Other users can read {path}: take that right from them (chmod 600).")
        return file.read()


def _from_keyring(entry: str) -> str:
    try:
        import keyring
        from keyring.errors import KeyringError
    except ImportError:
        raise Invalid("The system's keyring needs the package keyring: pip install 'casebridge[keyring]'.") from None
    service, _, user = entry.rpartition("/")
    try:
        return keyring.get_password(service, user) or ""
    except KeyringError as error:
        raise Invalid(f"The system's keyring cannot be asked for {entry} ({type(error).__name__}).") from None
