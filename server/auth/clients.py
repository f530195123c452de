"""The programs that may ask: services of an organisation, and apps that people use. Registered once, by an administrator."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapter.errors import CasebridgeError, Invalid
from adapter.fhir.scopes import narrowed, scopes
from server.auth.grant import check_queries
from server.auth.public_keys import check_set
from server.auth.register import Register
from server.auth.roles import role

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}").fullmatch
_LOCAL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}").fullmatch
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_FASTEST = 10_000
LONGEST = 4000
"""Of the scopes of a client or token, in characters: each commit reads those of whoever is to be told of it."""


@dataclass(frozen=True)
class Client:
    """A program. One with `redirects` is an app, through which people act; one without is a service, which acts by itself."""

    id: str
    name: str
    role_name: str
    scope: str
    """What it may ever ask for."""
    organisation: str | None = None
    purpose: str | None = None
    jwks: dict[str, Any] | None = field(default=None, repr=False)
    jwks_url: str | None = None
    redirects: tuple[str, ...] = ()
    launch_url: str | None = None
    """Where an app is started from here."""
    rate: float | None = None
    """How many requests a second it may send; an app, for each person."""
    disabled: bool = False

    @property
    def app(self) -> bool:
        return bool(self.redirects)

    @property
    def proves(self) -> bool:
        """Whether it signs who it is; an app without keys is public."""
        return self.jwks is not None or self.jwks_url is not None

    # What Authlib asks of a client.
    def get_client_id(self) -> str:
        return self.id

    def get_default_redirect_uri(self) -> None:
        """None: an app says to which of its addresses."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """Of what is asked for, what it may have; None for nothing, or more than LONGEST. A person's role narrows it further, where there
        is a person."""
        try:
            check_queries(scope or "")
        except CasebridgeError:
            return None
        allowed = narrowed(scope or "", self.scope)
        allowed = allowed if self.app else narrowed(allowed, role(self.role_name).ceiling)
        return allowed if 0 < len(allowed) <= LONGEST else None

    def check_redirect_uri(self, uri: str) -> bool:
        return uri in self.redirects

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's arguments
        return method == ("private_key_jwt" if self.proves else "none")

    def check_response_type(self, response_type: str) -> bool:
        return self.app and response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in (("authorization_code", "refresh_token") if self.app else ("client_credentials",))


class Clients(Register[Client]):
    """The register of clients."""

    kind = "clients"
    key = "id"
    of = Client

    def add(self, client: Client) -> None:
        """Register a client. Raises Invalid, and Conflict for an id that is taken."""
        self._add(client)

    def rotate(self, id: str, *, jwks: dict[str, Any] | None = None, jwks_url: str | None = None) -> None:
        """Replace the keys of a client; the tokens that it has stay good for their minutes. Raises NotFound, Invalid."""
        self._change(id, jwks=jwks, jwks_url=jwks_url)

    def set_rate(self, id: str, rate: float | None) -> None:
        """How often a client may ask, None for as all; it counts from its next token on. Raises NotFound, Invalid."""
        self._change(id, rate=rate)

    def _check(self, entry: Client) -> None:
        check(entry)

    def _end(self, name: str) -> None:
        self._tokens.revoke(client=name)


def check(client: Client) -> None:
    """Raise Invalid for what cannot be registered."""
    role(client.role_name)
    if not _ID(client.id):
        raise Invalid("A client's id is lower-case letters, digits and . _ -, 2 to 64 of them.")
    for reference in filter(None, (client.organisation,)):
        check_reference(reference, "Organization")
    if client.jwks is not None:
        check_set(client.jwks)
    if client.jwks is not None and client.jwks_url is not None:
        raise Invalid("The keys of a client are in a file or at a URL, not both.")
    for url in filter(None, (client.jwks_url, client.launch_url, *client.redirects)):
        _check_url(url)
    wanted = {"patient", "user"} if client.app else {"system"}
    found = scopes(client.scope)
    if not found and not client.app or any(scope.context not in wanted for scope in found):
        example = "user/*.rs launch openid fhirUser" if client.app else "system/*.rs"
        raise Invalid(f"The scopes of {'an app' if client.app else 'a service'} are such as {example}, with spaces between.")
    if len(client.scope) > LONGEST:
        raise Invalid(f"The scopes of a client have {LONGEST} characters at most.")
    check_queries(client.scope)
    if client.rate is not None and not 0 < client.rate <= _FASTEST:
        raise Invalid(f"The rate of a client is in requests a second, greater than 0 and at most {_FASTEST}.")
    if not client.app and not client.proves:
        raise Invalid("A service proves who it is by keys: give its key set, as a file or a URL.")


def check_reference(reference: str, *types: str) -> None:
    """Raise Invalid for what is no local reference to one of the types."""
    if not _LOCAL(reference) or reference.partition("/")[0] not in types:
        raise Invalid(f"It is written like {types[0]}/id.")


def secure(url: str) -> bool:
    """Whether nobody on the way can listen to what is sent to an address; what is none is not secure."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    clear = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return bool(parts.hostname) and not parts.fragment and not parts.username and (parts.scheme == "https" or clear)


def _check_url(url: str) -> None:
    if not secure(url):
        raise Invalid("The addresses of a client begin with https:// (on this machine with http://) and have no fragment.")
