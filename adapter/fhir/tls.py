"""How a connection to a remote is secured: its certificate is always verified; a private authority and a certificate of our own by setting.

What is wrong is told by the name of the setting, and never by what is in a file.
"""

import ipaddress
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from requests.adapters import HTTPAdapter

from adapter.clock import Clock, utc_now
from adapter.errors import Invalid, RemoteError, RemoteFatal, RemoteTemporary
from adapter.fhir.secret import read_private

_HUNG_UP = "EOF"
# What OpenSSL, and so the text of an error of requests, says; and what that means for whoever runs a sync.
_FAULTS = (
    (r"self.signed|unable to get (local )?issuer", "the authority of its certificate is not trusted here: name it in ca_file"),
    (r"mismatch|doesn't match", "its certificate is that of another host: is the address right?"),
    (r"certificate has expired", "its certificate has expired"),
    (r"not yet valid", "its certificate is not valid yet: is the clock of this machine right?"),
    (r"CERTIFICATE_REQUIRED|certificate required|HANDSHAKE_FAILURE", "it asks for our certificate: name it in cert_file and key_file"),
    (r"ALERT|alert", "it does not accept our certificate (cert_file), or how we encrypt"),
    # With TLS 1.3 a server may hang up before we read what it has against us; or it was stopped just then.
    (_HUNG_UP, "it hung up while the connection was secured: does it ask for our certificate (cert_file)?"),
    (r"WRONG_VERSION_NUMBER|wrong version number", "it does not speak TLS there: is the address right?"),
)


@dataclass(frozen=True)
class Transport:
    """What a connection to a remote is made with: paths of PEM files, seconds to connect and to wait, and whether http:// may do."""

    ca_file: str = ""
    """The authorities that are trusted, instead of the system's."""
    cert_file: str = ""
    """Our certificate, for mutual TLS, with what leads to its authority."""
    key_file: str = ""
    """Its private key, unencrypted, readable by nobody else."""
    cleartext: bool = False
    """Whether credentials may go over http:// to another machine."""
    timeout: tuple[float, float] = (5, 60)

    def session(self, clock: Clock = utc_now) -> requests.Session:
        """A session that connects like this. Raises Invalid naming the setting whose file cannot be used."""
        session = requests.Session()
        if self.ca_file or self.cert_file or self.key_file:
            self._check_files(clock)
            session.mount("https://", _Secured(self))
        return session

    def check(self, url: str) -> None:
        """Raise Invalid for what is no address, and where credentials would go to it in clear."""
        scheme, host = _address(url)
        if scheme != "https" and not self.cleartext and not is_loopback(host):
            text = f"Credentials would go to {host} in clear: use https, or set cleartext=yes where nobody can listen."
            raise Invalid(text, expression=["cleartext"])

    def _check_files(self, clock: Clock) -> None:
        if self.ca_file:
            _certificates("ca_file", self.ca_file)
        if bool(self.cert_file) != bool(self.key_file):
            missing = "key_file" if self.cert_file else "cert_file"
            raise Invalid(f"A certificate of our own needs cert_file and key_file; {missing} is not set.", expression=[missing])
        if not self.cert_file:
            return
        own = _certificates("cert_file", self.cert_file)[0]
        if own.not_valid_after_utc < clock().astimezone(UTC):
            raise Invalid(f"The certificate in cert_file has expired, on {own.not_valid_after_utc:%Y-%m-%d}.", expression=["cert_file"])
        try:
            key = load_pem_private_key(_content("key_file", self.key_file), None)
        except (ValueError, TypeError):
            raise Invalid("The file that key_file names is not an unencrypted private key in PEM.", expression=["key_file"]) from None
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*form) != own.public_key().public_bytes(*form):
            raise Invalid("The key in key_file is not that of the certificate in cert_file.", expression=["cert_file", "key_file"])


def fault(action: str, error: Exception) -> RemoteError | None:
    """The typed error for one of requests in securing a connection, None for any other. Its own text can hold the query: never shown."""
    text = str(error)
    if not isinstance(error, requests.exceptions.SSLError) and "SSL" not in text:
        return None
    unknown = f"the connection cannot be secured ({type(error).__name__})"
    words = next((words for pattern, words in _FAULTS if re.search(pattern, text)), unknown)
    return (RemoteTemporary if re.search(_HUNG_UP, text) else RemoteFatal)(f"{action}: {words}.")


class _Secured(HTTPAdapter):
    """Not by the session's own settings: REQUESTS_CA_BUNDLE, where it is set, goes before those (requests 2.34)."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._authority = _path(transport.ca_file) if transport.ca_file else None
        self._own = (_path(transport.cert_file), _path(transport.key_file)) if transport.cert_file else None

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        options |= {"verify": self._authority} if self._authority else {}
        options |= {"cert": self._own} if self._own else {}
        return super().send(request, *args, **options)


def _certificates(setting: str, file: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(_content(setting, file))
    except ValueError:
        raise Invalid(f"The file that {setting} names holds no certificate in PEM.", expression=[setting]) from None


def _content(setting: str, file: str) -> bytes:
    try:
        path = Path(_path(file))
        return read_private(path) if setting == "key_file" else path.read_bytes()
    except OSError as error:
        raise Invalid(f"The file that {setting} names cannot be read ({error.strerror}).", expression=[setting]) from None


def _path(file: str) -> str:
    return str(Path(file).expanduser())


def _address(url: str) -> tuple[str, str]:
    """The scheme and host of a URL that http can be spoken to."""
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.scheme, parts.hostname
    raise Invalid("The address of a FHIR server or a token endpoint looks like https://host/path.", expression=["url"])


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, without asking anybody what its name means."""
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
