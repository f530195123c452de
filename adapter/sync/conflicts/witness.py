"""What each side did to a resource since both agreed: its versions, with when and by whom. The newest wins by it, and the inbox shows it.

A remote's times are by its own clock. Who wrote a version is known where a Provenance says so: http://hl7.org/fhir/R4/provenance.html
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import takewhile

from adapter.clock import instant
from adapter.errors import RemoteFatal
from adapter.fhir.client import FhirClient
from adapter.fhir.references import split
from adapter.fhir.resource import Raw
from adapter.mapping.merge import Change, Newest
from adapter.store.documents import Document, Stored
from adapter.store.repository import Repository
from adapter.sync.edge import Edge
from adapter.sync.plan import Entry
from adapter.sync.remotes.remote import Remote

# An HTTP Date counts whole seconds, and an answer takes its time: two edits that are closer than this came at the same time.
TIE = timedelta(seconds=2)

_PROVENANCE = "Provenance"
_FIRST = "1"


@dataclass(frozen=True)
class Version:
    """One version of a resource on one side, in local terms; nothing is in one that is a deletion."""

    name: str
    raw: Raw
    at: datetime | None
    """When it was written, by that side's clock; None where that side does not tell."""
    by: str | None = None
    """Who wrote it, as a Provenance names them."""


@dataclass(frozen=True)
class Past:
    """A side's versions since both agreed, newest first. `whole` says whether none is missing."""

    versions: tuple[Version, ...]
    whole: bool

    def changed(self, change: Change) -> tuple[Version, bool]:
        """The oldest known version from which on the element is as it is now, and whether it is the one that changed it."""
        now = self.versions[0]
        alike = [*takewhile(lambda version: change.alike(version.raw, now.raw), self.versions)]
        return alike[-1], self.whole or len(alike) < len(self.versions)


def later(ours: Past, theirs: Past, ahead: timedelta | None, change: Change) -> str | None:
    """The side that changed the element last, "ours" or "theirs"; None for a tie, and where a time is not known.

    `ahead` is what the remote's clock is ahead of ours, None where it tells no time.
    """
    (mine, mine_surely), (rival, rival_surely) = ours.changed(change), theirs.changed(change)
    if mine.at is None or rival.at is None or ahead is None:
        return None
    apart = rival.at - (mine.at + ahead)
    # Where versions are missing, the change may have been earlier than the oldest one known, never later.
    if apart > TIE and rival_surely:
        return "theirs"
    return "ours" if -apart > TIE and mine_surely else None


@dataclass(frozen=True)
class Witness:
    """Tells what both sides did. Asks the remote only when it is asked itself."""

    repository: Repository
    remote: Remote
    edge: Edge
    client: FhirClient

    def newest(self, entry: Entry) -> Newest:
        """Which side changed an element of this resource last."""

        @cache
        def pasts() -> tuple[Past, Past, timedelta | None]:
            return self.ours(entry), self.theirs(entry), self._ahead(entry.type)

        return lambda change: later(*pasts(), change)

    def told(self, entry: Entry) -> Document:
        """Who and when, for a conflict: `ours` and `theirs` as they are now, and `elements`, by path, as they came to be so."""
        pasts = {"ours": self.ours(entry), "theirs": self.theirs(entry)}
        sides = {side: _said(past.versions[0]) for side, past in pasts.items()}
        elements = [
            {"path": change.path}
            | {side: _said(found) for side, past in pasts.items() for found, surely in [past.changed(change)] if surely}
            for change in entry.changes
        ]
        return {**sides, "elements": elements}

    def ours(self, entry: Entry) -> Past:
        """Our versions since both agreed."""
        stored = entry.stored
        if stored is None:
            return Past((Version("", {}, None),), whole=False)
        link = stored.link(self.remote.name)
        since = link.at if link else 0
        signed = self._signed_here(stored)
        found = [version for version in self.repository.versions(stored.type, stored.id) if since < version.version <= stored.version]
        versions = [
            Version(
                str(each.version),
                {} if each.deleted else each.raw,
                each.updated,
                signed.by(str(each.version), each.updated, newest=each is found[0]),
            )
            for each in found
        ]
        return Past(tuple(versions) or (_current(stored),), whole=True)

    def theirs(self, entry: Entry) -> Past:
        """Their versions since both agreed, as far as the remote's history tells."""
        link = entry.stored.link(self.remote.name) if entry.stored else None
        versions, whole = self._told_there(entry, link.version if link else _FIRST)
        if versions:
            return Past(tuple(versions), whole)
        return Past((Version(str(entry.version or ""), entry.theirs or {}, None),), whole=False)

    def _told_there(self, entry: Entry, agreed: str) -> tuple[list[Version], bool]:
        type, _, id = str(entry.there).partition("/")
        signed = self._signed_there(str(entry.there))
        found: list[Version] = []
        try:
            for each in self.client.history(type, id=id):
                if each.version == agreed:
                    return found, True
                # What came after the version that is looked at is the next sync's affair; a deletion has no version on some servers.
                if found or each.version == entry.version or (entry.version is None and each.deleted):
                    raw = self.edge.to_local(each.raw) if each.raw else {}
                    at = _moment(each.updated)
                    found.append(Version(str(each.version or ""), raw, at, signed.by(str(each.version), at, newest=not found)))
        except RemoteFatal:
            # It keeps no history, or lets us not see it.
            return self._read_there(entry), False
        return found, False

    def _read_there(self, entry: Entry) -> list[Version]:
        if entry.theirs is None:
            return []
        type, _, id = str(entry.there).partition("/")
        try:
            now = self.client.read(type, id)
        except RemoteFatal:
            return []
        at = _moment(now.updated) if now.version == entry.version else None
        return [Version(str(entry.version or ""), entry.theirs, at)]

    def _ahead(self, type: str) -> timedelta | None:
        try:
            return next(self.client.search(type, {"_count": 1})).server_time - self.repository.clock()
        except RemoteFatal:
            return None

    def _signed_here(self, stored: Stored) -> "Signed":
        if _PROVENANCE not in self.repository.types():
            return Signed()
        found = self.repository.scan(_PROVENANCE, {"fhir.index._key": stored.reference})
        return Signed.of((each.raw for each in found if not each.deleted), stored.reference)

    def _signed_there(self, there: str) -> "Signed":
        try:
            pages = self.client.search(_PROVENANCE, {"target": there, "_sort": "recorded"})
            return Signed.of((raw for page in pages for raw in page.entries), there)
        except RemoteFatal:
            # It has no Provenance, or lets us not see it.
            return Signed()


def _current(stored: Stored) -> Version:
    return Version(str(stored.version), {} if stored.deleted else stored.raw, stored.updated)


@dataclass
class Signed:
    """Who wrote what of a resource, as Provenances tell it."""

    versions: dict[str, str] = field(default_factory=dict)
    latest: tuple[datetime, str] | None = None
    """When the last one that names no version was recorded, and whom it names. HAPI 8.8 strikes versions out of a Provenance's target."""

    @staticmethod
    def of(provenances: Iterable[Raw], reference: str) -> "Signed":
        signed = Signed()
        for raw in provenances:
            agents = [agent.get("who") or {} for agent in raw.get("agent") or ()]
            name = next((str(who[key]) for who in agents for key in ("display", "reference") if who.get(key)), None)
            recorded = _moment(raw.get("recorded"))
            for target in raw.get("target") or ():
                parts = split(str(target.get("reference", "")))
                if name is None or parts is None or f"{parts[0]}/{parts[1]}" != reference:
                    continue
                if parts[2]:
                    signed.versions[parts[2]] = name
                elif recorded and (signed.latest is None or signed.latest[0] <= recorded):
                    signed.latest = (recorded, name)
        return signed

    def by(self, version: str, at: datetime | None, *, newest: bool) -> str | None:
        """Who wrote this version. What names no version is about the newest, if it was recorded when that was there."""
        if version in self.versions or not (newest and at and self.latest):
            return self.versions.get(version)
        return self.latest[1] if self.latest[0] >= at - TIE else None


def _said(version: Version) -> Document:
    said = {"version": version.name or None, "at": instant(version.at) if version.at else None, "by": version.by}
    return {name: value for name, value in said.items() if value is not None}


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment and moment.tzinfo else None
