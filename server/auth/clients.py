"""The programs that may ask: services of an organisation, and apps that people use. Registered once, by an administrator."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit

from adapter.clock import Clock
from adapter.errors import CasebridgeError, Conflict, Invalid, NotFound
from adapter.fhir.scopes import narrowed, scopes
from adapter.store.documents import Document
from server.auth.grant import check_queries
from server.auth.public_keys import check_set
from server.auth.roles import role
from server.auth.tokens import Tokens

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{1,63}").fullmatch
_LOCAL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64}").fullmatch
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


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
        """Of what is asked for, what it may have; None for nothing. A person's role narrows it further, where there is a person."""
        try:
            check_queries(scope or "")
        except CasebridgeError:
            return None
        allowed = narrowed(scope or "", self.scope)
        return (allowed if self.app else narrowed(allowed, role(self.role_name).ceiling)) or None

    def check_redirect_uri(self, uri: str) -> bool:
        return uri in self.redirects

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - Authlib's arguments
        return method == ("private_key_jwt" if self.proves else "none")

    def check_response_type(self, response_type: str) -> bool:
        return self.app and response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in (("authorization_code", "refresh_token") if self.app else ("client_credentials",))


class Clients:
    """The register of clients."""

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens, self._state, self._clock = tokens, tokens.state, clock

    def find(self, id: str) -> Client | None:
        """The client, None where it is not registered or is disabled."""
        held = self._state.get("clients", id)
        return None if held is None or held["disabled"] else _read(id, held)

    def all(self) -> Iterator[Client]:
        """All of them, disabled ones too, by id."""
        for id, held in self._state.all("clients"):
            yield _read(id, held)

    def add(self, client: Client) -> None:
        """Register a client. Raises Invalid, and Conflict for an id that is taken."""
        check(client)
        if not self._state.add("clients", client.id, {**_document(client), "made": self._clock()}):
            raise Conflict("There is a client of this id; a disabled one keeps its id for the record.")

    def disable(self, id: str) -> None:
        """Let a client in no more: its tokens end at once. Raises NotFound."""
        self._change(id, disabled=True)
        self._tokens.revoke(client=id)

    def rotate(self, id: str, *, jwks: dict[str, Any] | None = None, jwks_url: str | None = None) -> None:
        """Replace the keys of a client; the tokens that it has stay good for their minutes. Raises NotFound, Invalid."""
        self._change(id, jwks=jwks, jwks_url=jwks_url)

    def _change(self, id: str, **values: Any) -> None:
        """Change what is kept, and nothing that another changed meanwhile."""
        while True:
            held = self._state.get("clients", id)
            if held is None:
                raise NotFound("There is no client of this id: `casebridge client list` shows those that there are.")
            changed = replace(_read(id, held), **values)
            check(changed)
            if self._state.swap("clients", id, held, {**held, **_document(changed)}):
                return


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
    check_queries(client.scope)
    if not client.app and not client.proves:
        raise Invalid("A service proves who it is by keys: give its key set, as a file or a URL.")


def check_reference(reference: str, *types: str) -> None:
    """Raise Invalid for what is no local reference to one of the types."""
    if not _LOCAL(reference) or reference.partition("/")[0] not in types:
        raise Invalid(f"It is written like {types[0]}/id.")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    clear = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if not parts.hostname or parts.fragment or parts.username or not (parts.scheme == "https" or clear):
        raise Invalid("The addresses of a client begin with https:// (on this machine with http://) and have no fragment.")


def _document(client: Client) -> Document:
    return {name: [*value] if isinstance(value, tuple) else value for name, value in vars(client).items() if name != "id"}


def _read(id: str, held: Document) -> Client:
    known = {name: value for name, value in held.items() if name in Client.__dataclass_fields__}
    return Client(**{**known, "id": id, "redirects": tuple(held["redirects"])})
