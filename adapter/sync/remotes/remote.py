"""The external FHIR servers that this casebridge is kept in step with: their settings, and how to reach them."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import NAMESPACE_URL, uuid5

from pymongo.client_session import ClientSession
from requests.auth import AuthBase

from adapter.clock import Clock
from adapter.errors import Invalid, NotFound
from adapter.fhir.auth import auth_from
from adapter.fhir.client import FhirClient
from adapter.fhir.rate import gate
from adapter.fhir.tls import Transport
from adapter.store.documents import Document
from adapter.store.remote_keys import LINKED
from adapter.store.state import State
from adapter.sync.conflicts.ownership import check_owners
from adapter.sync.remotes.settings import Check, between, one_of, require, typed


@dataclass(frozen=True)
class Remote:
    """One external FHIR server, as the user configured it. Holds no secret: `auth` says where the secret is read from."""

    name: str
    """What it is called here; it stays as it is."""
    url: str
    """Its FHIR base URL. It stays as it is: local ids are made from it."""
    auth: dict[str, str] = field(default_factory=lambda: {"kind": "none"})
    """How we prove who we are: `kind`, and what that kind needs (docs/authentication.md)."""
    ca_file: str = ""
    """The authorities whose certificates are trusted, in PEM, instead of the system's."""
    cert_file: str = ""
    """Our certificate for mutual TLS, in PEM."""
    key_file: str = ""
    """The private key of `cert_file`, in PEM, unencrypted, closed to other users."""
    cleartext: bool = False
    """Whether credentials may go over http:// to another machine than this."""
    sandbox: bool = False
    """Takes nothing that is not tagged as synthetic, and no text that seems to tell who somebody is."""
    types: tuple[str, ...] = ()
    """The resource types to pull; none named: all that the remote can search."""
    trust: tuple[str, ...] = ()
    """The identifier systems by which people and organisations are known again, the most trusted first; none: nobody is matched."""
    mine: bool = False
    """Pull only what was born in a casebridge: on a server that others use too."""
    scope: dict[str, str] = field(default_factory=dict)
    """Whose resources are pulled: `patients` (ids), `group`, `care_manager`, `identifier_system`, `tag`, together; none: everybody's."""
    searches: dict[str, str] = field(default_factory=dict)
    """By type, the search that what is pulled must match, such as `category=vital-signs`; `*` for all other types."""
    reference_depth: int = -1
    """How many steps what is pulled is followed to what it refers to; -1: one with a `scope`, else none."""
    reference_limit: int = 1000
    """How many resources are fetched in one pull because others refer to them; the rest is left to the next."""
    overlap: float = 60
    """Seconds before the last pull that are read again: a remote stamps a resource before it commits it."""
    ids_every: float = 24
    """Hours between two comparisons of ids, which find what was deleted in types without history; 0: at each pull."""
    page_size: int = 200
    """How many resources are asked for at once."""
    bundle_size: int = 50
    """How many entries go into one transaction."""
    timeout: float = 60
    """Seconds to wait for an answer."""
    writes: str = "update"
    """How an existing resource is changed there: `update` (PUT), or `patch` (JSON Patch of the elements that change)."""
    deletes: str = "delete"
    """What becomes there of what is deleted here: `delete`, `entered-in-error` (by its status), or `never` anything."""
    rate: float = 0
    """How many requests a second a sync sends it at most, by all processes that share it; 0: as many as it answers."""
    concurrency: int = 1
    """How many requests of a push one process has under way at once, where no reference forbids it."""
    owners: dict[str, str] = field(default_factory=dict)
    """Who decides where both sides changed an element: `ours`, `theirs`, `newest` or `person`, by type and path (`CarePlan.title`)."""
    provenance: bool = False
    """Whether it gets the Provenance of each decision about a conflict with it."""
    first_load: str = "search"
    """How the first pull reads it: `search`, type by type, or `export`, by one `$export`."""
    export: str = "system"
    """What an `$export` covers: `system`, `Patient` (all patients), or `Group/<id>`."""
    export_filter: tuple[str, ...] = ()
    """Searches that narrow an export (`_typeFilter`), such as `Observation?status=final`."""
    export_hosts: tuple[str, ...] = ()
    """Other hosts (`name` or `name:port`) that may be sent our credentials, for an export's status and files."""
    export_wait: float = 0
    """The longest wait in seconds between two looks at how far an export is; 0: as long as the remote asks."""
    export_cancel: bool = False
    """Whether Ctrl-C ends an export at the remote too; otherwise the next run goes on with it."""

    @property
    def namespace(self) -> str:
        """What the local ids of resources born there are made from: the same address gives the same ids, in any database."""
        return str(uuid5(NAMESPACE_URL, self.url))

    @property
    def transport(self) -> Transport:
        """What connections to it are made with."""
        return Transport(self.ca_file, self.cert_file, self.key_file, self.cleartext, (5, self.timeout))

    def proof(self) -> AuthBase | None:
        """What its requests prove who we are by. Raises Invalid for settings that cannot work, or would send a secret in clear."""
        return auth_from(self.auth, self.url, self.transport)

    @property
    def depth(self) -> int:
        """How many steps what is pulled is followed to what it refers to."""
        return self.reference_depth if self.reference_depth >= 0 else int(bool(self.scope))

    def client(self, kind: Callable[..., FhirClient] = FhirClient, **options: Any) -> FhirClient:
        """A client for it. Raises Invalid where its settings cannot work: an unreadable secret, a certificate without its key."""
        transport, sized = self.transport, {"page_size": self.page_size, **options}
        passed = gate(self.url, self.rate)
        return kind(self.url, auth=self.proof(), session=transport.session(), timeout=transport.timeout, gate=passed, **sized)


def _auth(value: Mapping[str, str]) -> str:
    auth_from(value)
    return ""


_EXPORT = re.compile(r"system|Patient|Group/[A-Za-z0-9.-]{1,64}")
SCOPES = ("patients", "group", "care_manager", "identifier_system", "tag")
# What a pull adds to a search by itself, and what would bring another kind of answer.
_NOT_OURS = frozenset({"_count", "_elements", "_format", "_include", "_lastUpdated", "_revinclude", "_sort", "_summary", "_total"})


def _search(query: str) -> str:
    names = {name.partition(":")[0] for name, _ in parse_qsl(query)}
    return "" if names and not names & _NOT_OURS else f"hold searches such as status=active, without {', '.join(sorted(_NOT_OURS))}"


# What the values of settings must be, beside their kinds.
CHECKS: dict[str, Check] = {
    "auth": _auth,
    "scope": lambda value: "" if {*value} <= {*SCOPES} else f"have no keys but {', '.join(SCOPES)}",
    "searches": lambda value: next(filter(None, map(_search, value.values())), ""),
    "reference_depth": between(-1, 10),
    "reference_limit": between(1, 1_000_000),
    "overlap": between(0, 86_400),
    "ids_every": between(0, 87_600),
    "page_size": between(1, 1000),
    "bundle_size": between(1, 1000),
    "timeout": between(0.1, 3600),
    "writes": one_of("update", "patch"),
    "deletes": one_of("delete", "entered-in-error", "never"),
    "rate": between(0, 10_000),
    "concurrency": between(1, 32),
    "owners": check_owners,
    "first_load": one_of("search", "export"),
    "export": lambda value: "" if _EXPORT.fullmatch(value) else "be system, Patient or Group/<id>",
    "export_wait": between(0, 3600),
}
_FIXED = ("name", "url")
# What a pull selects by: where one of these changes, it starts from the beginning, for what was passed over may count now.
_SELECTS = frozenset({"mine"})


class Remotes:
    """The configured remotes."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def add(self, remote: Remote) -> None:
        """Configure a remote. What was made here so far is owed to it.

        Raises Invalid for a name or address that cannot be one, and for the name of a former remote elsewhere to which something is linked.
        """
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,31}", remote.name):
            raise Invalid("A remote's name is lower-case letters, digits, - and _, at most 32, starting with a letter.")
        parts = urlsplit(remote.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query:
            raise Invalid("A remote's address is an http(s) base URL without credentials or query, such as https://host/fhir.")
        # With and without it is one address, and is to make the same ids.
        remote = replace(remote, url=remote.url.rstrip("/"))
        require(CHECKS, vars(remote))
        remote.proof()
        self._check_links(remote)
        body = {**asdict(remote), "added": self._clock(), "seeded": False}

        def keep(session: ClientSession) -> None:
            # Both or none: a remote that is not published would never be owed an edit.
            if self._state.get("remotes", remote.name, session):
                raise Invalid(f"There is a remote named {remote.name} already; remove it first, or choose another name.")
            self._state.put("remotes", remote.name, body, session)
            self._publish(session)

        self._transacted(keep)

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

    def change(self, name: str, values: Mapping[str, Any]) -> Remote:
        """Give a remote other settings. Raises NotFound, and Invalid for values that cannot be."""
        before = self.get(name)
        if fixed := [field for field in _FIXED if values.get(field, getattr(before, field)) != getattr(before, field)]:
            raise Invalid(f"The {fixed[0]} of a remote cannot change: add another remote.", expression=fixed)
        after = replace(before, **values)
        require(CHECKS, values)
        after.proof()
        self._state.put("remotes", name, {**(self._state.get("remotes", name) or {}), **asdict(after)})
        if any(getattr(before, field) != getattr(after, field) for field in _SELECTS):
            self._forget_cursors(name)
        return after

    def remove(self, name: str) -> None:
        """Forget a remote's settings and cursors; links stay, so that adding it again does not double anything. Raises NotFound."""
        former = self.get(name)

        def forget(session: ClientSession) -> None:
            self._state.drop("remotes", name, session=session)
            self._state.put("state", _former(name), {"url": former.url}, session)
            self._publish(session)

        self._state.drop("profiles", name)
        self._forget_cursors(name)
        self._transacted(forget)

    def seeded(self, name: str) -> bool:
        """Whether all that was made before the remote was added has been put on its outbox."""
        return bool((self._state.get("remotes", name) or {}).get("seeded"))

    def mark_seeded(self, name: str) -> None:
        """Remember that the outbox is complete."""

        def keep(session: ClientSession) -> None:
            # Read where it is written: settings may be changed while a push runs.
            if found := self._state.get("remotes", name, session):
                self._state.put("remotes", name, {**found, "seeded": True}, session)

        self._transacted(keep)

    def _forget_cursors(self, name: str) -> None:
        for kind in ("cursors", "exports", "export_places", "last_exports"):
            for id, _ in list(self._state.all(kind, {"remote": name})):
                self._state.drop(kind, id)

    def _check_links(self, remote: Remote) -> None:
        """A link says which resource there by its remote's name: at another address the same id is somebody else."""
        former = self._state.get("state", _former(remote.name))
        if former and former["url"] != remote.url:
            linked = self._state.all(LINKED, {"_id": {"$gte": f"{remote.name}|", "$lt": f"{remote.name}}}"}})
            if next(linked, None):
                text = f"What is linked to the {remote.name} that was at {former['url']} stays linked, so that name is kept for it"
                raise Invalid(f"{text}: choose another name.", expression=["name"])

    def _publish(self, session: ClientSession) -> None:
        """Tell the repository who gets what is written from now on."""
        self._state.put("state", "remotes", {"push": [name for name, _ in self._state.all("remotes", session=session)]}, session)

    def _transacted(self, write: Callable[[ClientSession], None]) -> None:
        with self._state.session() as session:
            session.with_transaction(write)


def _former(name: str) -> str:
    """The id of what is remembered of a remote that was removed."""
    return f"former:{name}"


def _remote(found: Document) -> Remote:
    # Those of an older or newer casebridge that this one does not have are kept, unused.
    return Remote(**typed(Remote, {name: value for name, value in found.items() if name in Remote.__dataclass_fields__}))
