"""Key pairs by which we sign who we are: a folder each, a private key a file, the last by name signs.

A file is `<kid>.pem` (PKCS #8, unencrypted), readable by nobody else. Names begin with the moment at which a key was made, so that their
order is the keys' age, wherever the folder is copied to; a key that was made elsewhere can be put beside them.
Algorithms: https://hl7.org/fhir/smart-app-launch/client-confidential-asymmetric.html
"""

import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from joserfc.jwk import ECKey, RSAKey

from adapter.config import Settings
from adapter.errors import Conflict, Invalid, NotFound
from adapter.fhir.secret import read_private

# 3072 bits are as strong as AES-128, which is what NIST SP 800-57 asks for beyond 2030.
_RSA_BITS = 3072
_RSA_LEAST = 2048
_MAKE: dict[str, Callable[[], RSAKey | ECKey]] = {
    "ES384": lambda: ECKey.generate_key("P-384"),
    "RS384": lambda: RSAKey.generate_key(_RSA_BITS),
}
ALGORITHMS = tuple(_MAKE)
"""The signatures that SMART asks servers to know, the shorter first."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


@dataclass(frozen=True)
class SigningKey:
    """A private key, the name by which others know its public half, and how it signs."""

    kid: str
    algorithm: str
    key: RSAKey | ECKey = field(repr=False)

    def public(self) -> dict[str, Any]:
        """Its public half as a JSON Web Key (RFC 7517)."""
        facts = {"kid": self.kid, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"]}
        return {**self.key.as_dict(private=False), **facts}


@dataclass(frozen=True)
class Keys:
    """The keys in one folder."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def all(self) -> list[SigningKey]:
        """The keys, oldest first; the last signs. Raises NotFound where there is none, Invalid for one that cannot be used."""
        found = [_read(path) for path in sorted(self.folder.glob("*.pem"))]
        if not found:
            raise NotFound(f"There are no keys named {self.name}: `casebridge keys new {self.name}` makes the first.")
        return found

    def make(self, algorithm: str, now: datetime) -> SigningKey:
        """A new key, which signs from now on. Raises Invalid where it cannot be kept, Conflict where another would go on signing."""
        key = _MAKE[algorithm]()
        kid = f"{now.astimezone(UTC):%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{key.thumbprint()[:8]}"
        if later := [path.stem for path in self.folder.glob("*.pem") if path.stem >= kid]:
            raise Conflict(f"By its name the key {later[0]} comes after a new one and would go on signing: rename it, here and there.")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, new = tempfile.mkstemp(dir=self.folder)  # the owner's alone
            with os.fdopen(handle, "wb") as file:
                file.write(key.as_pem(private=True))
                file.flush()
                os.fsync(file.fileno())
            # Whole under its name, or not there at all.
            Path(new).rename(self.folder / f"{kid}.pem")
        except OSError as error:
            raise Invalid(f"A key cannot be kept in {self.folder} ({error.strerror}).") from None
        return SigningKey(kid, algorithm, key)

    def drop(self, kid: str) -> None:
        """Delete a key for good. Raises NotFound, and Conflict for the one that signs."""
        kids = [key.kid for key in self.all()]
        if kid not in kids:
            raise NotFound(f"{self.name} has no key {kid}; `casebridge keys list {self.name}` shows those that there are.")
        if kid == kids[-1]:
            raise Conflict(f"{kid} is the key that signs: `casebridge keys rotate {self.name}` makes another one first.")
        (self.folder / f"{kid}.pem").unlink()

    def jwks(self) -> dict[str, Any]:
        """The public halves of all keys, as a JSON Web Key Set."""
        return {"keys": [key.public() for key in self.all()]}


def keys_named(name: str, folder: str | Path | None = None) -> Keys:
    """The keys of that name, in this folder of such folders, or in CASEBRIDGE_HOME/keys. Raises Invalid for what cannot be a name."""
    if not _NAME.fullmatch(name):
        raise Invalid("The name of keys is lower-case letters, digits, - and _, at most 32, starting with a letter.")
    return Keys((Path(folder).expanduser() if folder else Settings.from_env().home / "keys") / name)


def _read(path: Path) -> SigningKey:
    try:
        pem = read_private(path)
        key = load_pem_private_key(pem, None)
    except OSError as error:
        raise Invalid(f"The key {path} cannot be read ({error.strerror}).") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise Invalid(f"{path} is not an unencrypted private key in PEM.") from None
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= _RSA_LEAST:
        return SigningKey(path.stem, "RS384", RSAKey.import_key(pem))
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        return SigningKey(path.stem, "ES384", ECKey.import_key(pem))
    raise Invalid(f"The key {path} is none that can sign: RSA of {_RSA_LEAST} bits or more, or the elliptic curve P-384.")
