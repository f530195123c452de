"""How we prove to a remote who we are: not at all, by password (basic), a token that we were given (bearer), or one that we ask for.

A secret is read when it is needed: it is never stored, logged or shown, and a rotated one is picked up at once. The client follows no
redirect and no link to another host, so a secret stays where it belongs.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from requests import PreparedRequest
from requests.auth import AuthBase

from adapter.clock import Clock, utc_now
from adapter.errors import Invalid
from adapter.fhir.keys import keys_named
from adapter.fhir.oauth import AccessToken, ClientSecret
from adapter.fhir.scopes import check_system
from adapter.fhir.secret import Secret
from adapter.fhir.smart import BackendService, Endpoint, discover, same_origin
from adapter.fhir.tls import Transport


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


@dataclass(frozen=True)
class _Given:
    """What the settings of one remote say, and how it is reached."""

    settings: tuple[tuple[str, str], ...]
    base_url: str
    transport: Transport
    clock: Clock

    def get(self, name: str, default: str = "") -> str:
        return dict(self.settings).get(name, default)

    def need(self, *names: str) -> tuple[str, ...]:
        """The values of settings that this kind cannot do without."""
        if missing := [name for name in names if not self.get(name)]:
            raise Invalid(f"{self.get('kind')} authentication needs {' and '.join(missing)}.", expression=missing)
        return tuple(map(self.get, names))

    def secret(self) -> Secret:
        places = {place: self.get(f"secret_{place}") for place in ("file", "env", "keyring") if self.get(f"secret_{place}")}
        if len(places) != 1:
            names = ["secret_file", "secret_env", "secret_keyring"]
            raise Invalid(f"{self.get('kind')} authentication needs either {' or '.join(names)}.", expression=names)
        return Secret(**places)

    def discover(self) -> Endpoint:
        return discover(self.base_url, self.transport, self.clock)


def _basic(given: _Given) -> AuthBase:
    secret, user = given.secret(), given.get("user")
    if not user or ":" in user:
        raise Invalid("Basic authentication needs a user, and it cannot hold a colon.", expression=["user"])
    return Basic(user, secret)


def _client_credentials(given: _Given) -> AuthBase:
    (client_id,) = given.need("client_id")
    place = given.get("secret_in", "header")
    if place not in ("header", "body"):
        raise Invalid("auth.secret_in is header or body.", expression=["secret_in"])
    url = given.get("token_url")
    fetch = ClientSecret(
        client_id=client_id,
        secret=given.secret(),
        scope=given.get("scope"),
        locate=lambda: url or same_origin(given.base_url, given.discover().url),
        transport=given.transport,
        clock=given.clock,
        in_body=place == "body",
    )
    return AccessToken(fetch, given.clock)


def _smart_backend(given: _Given) -> AuthBase:
    client_id, name, scope = given.need("client_id", "keys", "scope")
    check_system(scope)
    keys = partial(keys_named, name, given.get("keys_folder"))
    keys()
    url = given.get("token_url")
    locate = partial(Endpoint, url) if url else given.discover
    return AccessToken(BackendService(client_id, keys, scope, locate, given.transport, given.clock), given.clock)


_MAKE: Mapping[str, Callable[[_Given], AuthBase | None]] = {
    "none": lambda _: None,
    "basic": _basic,
    "bearer": lambda given: Bearer(given.secret()),
    "client_credentials": _client_credentials,
    "smart-backend": _smart_backend,
}
KINDS = tuple(_MAKE)
_SECRET = {"secret_file", "secret_env", "secret_keyring"}
_SETTINGS = {"kind", "user", "client_id", "scope", "token_url", "secret_in", "keys", "keys_folder"} | _SECRET


def auth_from(
    config: Mapping[str, str | None],
    base_url: str = "",
    transport: Transport = Transport(),  # noqa: B008 - a frozen value
    clock: Clock = utc_now,
) -> AuthBase | None:
    """The authentication that a remote's settings describe (docs/authentication.md); asked twice for the same one, the very same, so that
    all who talk to a remote share its token.

    Raises Invalid for settings that cannot work, for a secret written into the settings themselves, and for one that would go in clear.
    """
    given = {key: value for key, value in config.items() if value}
    kind = given.get("kind", "none")
    if kind not in _MAKE:
        raise Invalid(f"The authentication kind must be one of {', '.join(KINDS)}.", expression=["kind"])
    if unknown := sorted(given.keys() - _SETTINGS):
        text = f"Unknown authentication settings: {', '.join(unknown)}. A secret goes into a file, a variable or the keyring."
        raise Invalid(text, expression=unknown)
    if kind != "none":
        for url in filter(None, (base_url, given.get("token_url"))):
            transport.check(url)
    return _made(_Given(tuple(sorted(given.items())), base_url, transport, clock))


@lru_cache
def _made(given: _Given) -> AuthBase | None:
    return _MAKE[given.get("kind", "none")](given)
