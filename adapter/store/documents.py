"""What the store keeps, as values: a stored resource with its record, a link to a remote, a change to be committed."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from bson.codec_options import CodecOptions, TypeCodec, TypeRegistry
from bson.decimal128 import Decimal128

from adapter.clock import instant
from adapter.fhir.resource import SERVER_META, Raw, dumps, parse
from adapter.mapping.registry import mapping_for

Document = dict[str, Any]

# Never pushed and never pulled: a remote would send the notifications of our Subscriptions, and we those of its own; and who did what on
# one server is no matter of another's.
UNSYNCED = frozenset({"AuditEvent", "Subscription"})


def stays(one: "Stored | Change") -> bool:
    """Whether it goes to no remote by itself: a Provenance of single versions neither, since these have other numbers there."""
    targets = (one.raw or {}).get("target", ()) if one.type == "Provenance" else ()
    return one.type in UNSYNCED or any("/_history/" in str(target.get("reference")) for target in targets if isinstance(target, dict))


TRANSACTION_BYTES = 512 * 1024
"""Text in one transaction, give or take a resource, for who can divide it: of 2 MB, with the 28,000 keys of its references, one was seen
to hang the embedded store for ever; and in memory it is some ten times as much, twice."""


class _Decimals(TypeCodec):
    """Record decimals keep their digits as Decimal128."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Any) -> Decimal128:
        return Decimal128(value)

    def transform_bson(self, value: Any) -> Decimal:
        return value.to_decimal()  # type: ignore[no-any-return]


CODEC: CodecOptions[Document] = CodecOptions(tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry([_Decimals()]))


@dataclass(frozen=True)
class Link:
    """A resource's counterpart on one remote, and the state both sides agreed on."""

    remote: str
    reference: str
    """Its Type/id there."""
    version: str
    """Its version there, as of the agreement."""
    at: int
    """Our version as of the agreement; 0 where the content was never agreed."""
    theirs: str | None = None
    """Their content then, in local terms, where it is not the same as ours."""
    named: bool = False
    """Whether our id is not the one that a resource born there gets, so that it must be known to translate references."""
    since: int = field(default=0, compare=False)
    """Our version when it was linked so, where `at` does not say it: that one, or a later one, can have been sent."""

    @property
    def key(self) -> str:
        return f"{self.remote}|{self.reference}"

    def document(self) -> Document:
        body: Document = {"remote": self.remote, "key": self.key, "version": self.version, "at": self.at}
        if self.theirs is not None:
            body["theirs"] = self.theirs
        if self.since:
            body["since"] = self.since
        return {**body, "named": self.remote} if self.named else body

    @staticmethod
    def of(document: Document) -> "Link":
        remote, _, reference = document["key"].partition("|")
        return Link(
            remote, reference, document["version"], document["at"], document.get("theirs"), "named" in document, document.get("since", 0)
        )


@dataclass(frozen=True)
class Stored:
    """One version of a resource, with the record it is the face of."""

    type: str
    id: str
    version: int
    updated: datetime
    deleted: bool
    text: str
    """The JSON that a read answers; empty for a deletion."""
    concept: str | None = None
    local: Raw = field(default_factory=dict)
    """The record's fields that have no place in FHIR."""
    born: str | None = None
    """The remote it came from, None for what was made here."""
    links: tuple[Link, ...] = ()
    outbox: tuple[str, ...] = ()
    """The remotes that have not got this version yet."""
    problems: tuple[str, ...] = ()
    """Paths of what the mapping could not read."""
    put: bool = False
    """Whether an update made this version where there was none: the first under an id of its writer's, or one after a deletion."""
    whose: tuple[str, ...] = field(default=(), compare=False)
    """Of what is stored: whose it is, as the index has it (adapter.access.whose); of a deletion, whose the version before was."""

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"

    @cached_property
    def raw(self) -> Raw:
        """The resource, parsed; treat it as read-only."""
        return parse(self.text)

    @cached_property
    def record(self) -> Raw:
        """The record's fields, read from the resource; those that have no place in it are `local`."""
        mapping = mapping_for(self.raw) if self.concept else None
        return mapping.extract(self.raw).fields if mapping else {}

    def link(self, remote: str) -> Link | None:
        """Its link to this remote."""
        return next((link for link in self.links if link.remote == remote), None)

    def links_beside(self, remote: str) -> tuple[Link, ...]:
        """Its links to all other remotes."""
        return tuple(link for link in self.links if link.remote != remote)

    @staticmethod
    def of(document: Document) -> "Stored":
        face = document["fhir"]
        return Stored(
            type=face["type"],
            id=face["id"],
            version=face["version"],
            updated=face["updated"],
            deleted=face["deleted"],
            text=face["raw"],
            concept=document.get("concept"),
            local=document.get("local", {}),
            born=document.get("born"),
            links=tuple(map(Link.of, document.get("links", ()))),
            outbox=tuple(document.get("outbox", ())),
            problems=tuple(face.get("problems", ())),
            put=face.get("put", False),
            whose=tuple(face.get("index", {}).get("_whose", ())),
        )


@dataclass(frozen=True)
class Change:
    """A write that is wanted. `raw` None is a deletion; `expect` is the version it was made against, 0 for a new resource."""

    type: str
    id: str
    raw: Raw | None
    expect: int
    local: Raw | None = None
    """Replaces the record's local fields; None leaves them."""
    born: str | None = None
    """For a new resource: the remote it comes from."""
    links: tuple[Link, ...] | None = None
    """Replaces the links; None leaves them. A link whose `at` is CURRENT agrees on the version that this change makes."""
    seen: tuple[Link, ...] | None = None
    """The links that `links` was made from, which are as good as a version: a sync with another remote changes them without making one."""
    owed: tuple[str, ...] = ()
    """Remotes that must get this even if its content did not change."""
    sent: str | None = None
    """The remote with which this change was agreed just now: it is taken off the outbox, and the others are put on."""
    put: bool = False
    """Whether it is an update that makes a resource where there is none."""
    owner: Document | None = None
    """Of a Subscription: to whom it belongs from now on; None leaves it whose it is, a new one nobody's."""


CURRENT = -1


def stamped(raw: Raw, id: str, version: int, updated: datetime) -> str:
    """The resource as text with its id, version and time; elements stay in the sender's order."""
    meta = {name: value for name, value in (raw.get("meta") or {}).items() if name not in SERVER_META[:2]}
    owned = {"resourceType": raw["resourceType"], "id": id, "meta": {"versionId": str(version), "lastUpdated": instant(updated), **meta}}
    if "id" in raw and "meta" in raw:
        return dumps({**raw, "id": owned["id"], "meta": owned["meta"]})
    return dumps({**owned, **{name: value for name, value in raw.items() if name not in owned}})
