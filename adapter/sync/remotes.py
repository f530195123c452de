"""The external FHIR servers that this casebridge is kept in step with: their settings, and how to reach them."""

import re
from dataclasses import asdict, dataclass, field
from urllib.parse import urlsplit
from uuid import NAMESPACE_URL, uuid5

from adapter.clock import Clock
from adapter.errors import Invalid, NotFound
from adapter.fhir.auth import auth_from
from adapter.fhir.client import FhirClient
from adapter.store.documents import Document
from adapter.store.state import State


@dataclass(frozen=True)
class Remote:
    """One external FHIR server, as the user configured it. Holds no secret: `auth` says where the secret is read from."""

    name: str
    url: str
    auth: dict[str, str] = field(default_factory=lambda: {"kind": "none"})
    sandbox: bool = False
    """Takes nothing that is not tagged as synthetic."""
    types: tuple[str, ...] = ()
    """The resource types to pull; none named: all that the remote can search."""
    mine: bool = False
    """Pull only what was born in a casebridge: on a server that others use too."""
    page_size: int = 200
    bundle_size: int = 50
    """How many entries go into one transaction."""
    timeout: float = 60
    """Seconds to wait for an answer."""

    @property
    def namespace(self) -> str:
        """What the local ids of resources born there are made from: the same address gives the same ids, in any database."""
        return str(uuid5(NAMESPACE_URL, self.url))

    def client(self) -> FhirClient:
        """A client for it. Raises Invalid where the secret cannot be read."""
        return FhirClient(self.url, auth=auth_from(self.auth), timeout=(5, self.timeout), page_size=self.page_size)


class Remotes:
    """The configured remotes."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def add(self, remote: Remote) -> None:
        """Configure a remote. What was made here so far is owed to it. Raises Invalid for a name or address that cannot be one."""
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", remote.name):
            raise Invalid("A remote's name is lower-case letters, digits, - and _, at most 32, starting with a letter.")
        parts = urlsplit(remote.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise Invalid("A remote's address is an http(s) base URL without credentials or query, such as https://host/fhir.")
        if not self._state.add("remotes", remote.name, {**asdict(remote), "added": self._clock(), "seeded": False}):
            raise Invalid(f"There is a remote named {remote.name} already; remove it first, or choose another name.")
        self._publish()

    def get(self, name: str) -> Remote:
        """A remote by name. Raises NotFound naming those that there are."""
        found = self._state.get("remotes", name)
        if found is None:
            names = ", ".join(remote.name for remote in self.all()) or "none yet; add one with `casebridge remote add`"
            raise NotFound(f"There is no remote named {name}; there are: {names}.")
        return _remote(found)

    def all(self) -> list[Remote]:
        """All remotes, by name."""
        return [_remote(found) for _, found in self._state.all("remotes")]

    def remove(self, name: str) -> None:
        """Forget a remote's settings and cursors; links stay, so that adding it again does not double anything. Raises NotFound."""
        self.get(name)
        self._state.drop("remotes", name)
        for id, _ in list(self._state.all("cursors", {"remote": name})):
            self._state.drop("cursors", id)
        self._publish()

    def seeded(self, name: str) -> bool:
        """Whether all that was made before the remote was added has been put on its outbox."""
        return bool((self._state.get("remotes", name) or {}).get("seeded"))

    def mark_seeded(self, name: str) -> None:
        """Remember that the outbox is complete."""
        found = self._state.get("remotes", name)
        if found:
            self._state.put("remotes", name, {**found, "seeded": True})

    def _publish(self) -> None:
        """Tell the repository who gets what is written from now on."""
        self._state.put("state", "remotes", {"push": [remote.name for remote in self.all()]})


def _remote(found: Document) -> Remote:
    known = {name: value for name, value in found.items() if name in Remote.__dataclass_fields__}
    return Remote(**{**known, "types": tuple(known.get("types", ()))})
