"""An entry of a push in the remote's terms: the resource as it is to be there, and the one request that makes it so."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from uuid import NAMESPACE_URL, uuid5

from adapter.errors import RemoteConflict
from adapter.fhir import bundle as bundles
from adapter.fhir import json_patch
from adapter.fhir.bundle import EntryResult
from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient, Written
from adapter.fhir.references import split
from adapter.fhir.resource import SERVER_META, Raw, content_hash, same
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.sync.edge import Edge, own_search
from adapter.sync.plan import Entry
from adapter.sync.remotes.remote import Remote

Request = Callable[[FhirClient], list[EntryResult]]
"""Carries out one request, in whatever thread; what became of each entry of it."""

# What a version looks like where the remote has none: the hash of what was read. Some servers' own versions look so too.
_HASH = re.compile(r"[0-9a-f]{32}").fullmatch
_DONE = 200


def by_patch(remote: Remote, capability: Capability, type: str) -> bool:
    """Whether an existing resource of this type is changed by PATCH there: asked for by the remote's settings, or all it can do."""
    return remote.writes == "patch" or (capability.supports(type, "patch") and not capability.supports(type, "update"))


def changes_by(remote: Remote, capability: Capability, type: str) -> str:
    """The FHIR interaction by which an existing resource of this type is changed there."""
    return "patch" if by_patch(remote, capability, type) else "update"


@dataclass
class Outbound:
    """Words what one remote is sent."""

    repository: Repository
    remote: Remote
    edge: Edge
    capability: Capability
    links: dict[str, str | None] = field(default_factory=dict)
    """Our Type/id → Type/id there, as far as it was looked up; see `there`."""

    def look_up(self, entries: Iterable[Entry]) -> None:
        """Learn in few questions what `there` will be asked about these entries."""
        wanted: dict[str, set[str]] = {}
        for entry in entries:
            for reference in entry.refers_to:
                if reference not in self.links:
                    type, _, id = reference.partition("/")
                    wanted.setdefault(type, set()).add(id)
        for type, ids in wanted.items():
            found = self.repository.find_many(type, ids)
            self.links.update({f"{type}/{id}": self._link(found.get(id)) for id in ids})

    def strange(self, entry: Entry) -> bool:
        """Whether a resource of the remote refers to something that is not here: only the remote knows its names for that."""
        return entry.there is not None and any(self.there(reference) is None for reference in entry.refers_to)

    def recall(self, raw: Raw) -> None:
        """Learn from a resource as the remote has it what it calls those that it refers to."""
        for reference in self.edge.targets(raw):
            ours = f"{reference.partition('/')[0]}/{self.edge.local_id(reference)}"
            if self.there(ours) is None:
                self.links[ours] = reference

    def there(self, reference: str) -> str | None:
        """Type/id there for our Type/id; "" where the remote has none, None where it is not ours to translate."""
        if reference not in self.links:
            self.links[reference] = self._link(self.repository.find(*reference.split("/")))
        return self.links[reference]

    def _link(self, stored: Stored | None) -> str | None:
        link = stored.link(self.remote.name) if stored else None
        return link.reference if link else "" if stored else None

    def learn(self, entry: Entry, answer: EntryResult) -> Entry:
        """The entry with the id and version that the remote answered; from now on references lead there."""
        # Of an update a Bundle's answer need not tell the place: http://hl7.org/fhir/R4/bundle-definitions.html#Bundle.entry.response.location
        there = f"{answer.type or entry.type}/{answer.id}" if answer.id else str(entry.there)
        self.links[entry.reference] = there
        self.edge.known[there] = entry.id
        return replace(entry, there=there, version=answer.version)

    def body(self, entry: Entry, beside: Collection[str] = ()) -> Raw:
        """The resource as it is to be there; `beside` names the creates that go in the same transaction."""
        link = entry.stored.link(self.remote.name) if entry.stored else None
        carries = link is None or (link.named and link.reference not in self.edge.joined)
        raw = self.edge.to_remote(entry.target or {}, entry.id if carries else None, self._outward(beside))
        return {"resourceType": raw["resourceType"], "id": entry.there.partition("/")[2], **raw} if entry.there else raw

    def _outward(self, beside: Collection[str]) -> Callable[[str], str]:
        def turn(reference: str) -> str:
            parts = split(reference)
            if parts is None:
                return reference
            ours = f"{parts[0]}/{parts[1]}"
            return self.there(ours) or (_full_url(ours) if ours in beside else reference)

        return turn

    def alone(self, entry: Entry) -> bool:
        """Whether it cannot be part of a Bundle: what is there is to be read just before it is changed."""
        changes = entry.action == "update" or (entry.action == "delete" and entry.target is not None)
        return changes and (not entry.changes or by_patch(self.remote, self.capability, entry.type) or _unversioned(entry))

    def bundle(self, entries: Iterable[Entry], kind: Callable[[Iterable[Raw]], Raw]) -> Request:
        """The request that carries out all of these; `kind` is bundle.transaction or bundle.batch."""
        listed = list(entries)
        beside = {entry.reference for entry in listed if entry.action == "create"} if kind is bundles.transaction else ()
        raw = kind([self.bundle_entry(entry, beside) for entry in listed])
        deleted = [entry for entry in listed if entry.action == "delete" and entry.target is None]

        def carry_out(client: FhirClient) -> list[EntryResult]:
            for entry in deleted:
                # HAPI 8.8 does not look at the ifMatch of a deletion.
                _expect(client, entry)
            return client.transaction(raw)

        return carry_out

    def bundle_entry(self, entry: Entry, beside: Collection[str] = ()) -> Raw:
        """The Bundle's entry that carries out this one."""
        if entry.action == "create":
            search = bundles.condition(own_search(entry.type, entry.id))
            return bundles.create(self.body(entry, beside), if_none_exist=search, full_url=_full_url(entry.reference))
        if entry.target is None:
            return bundles.delete(*str(entry.there).split("/"), if_match=entry.version)
        return bundles.update(self.body(entry, beside), if_match=str(entry.version))

    def single(self, entry: Entry) -> Request:
        """The request that carries out this one."""
        if entry.action == "create":
            return self._create(entry)
        return self._delete(entry) if entry.target is None else self._update(entry)

    def _create(self, entry: Entry) -> Request:
        raw, search = self.body(entry), bundles.condition(own_search(entry.type, entry.id))
        return lambda client: [_result(client.create(raw, if_none_exist=search))]

    def _update(self, entry: Entry) -> Request:
        raw, version, patched = self.body(entry), str(entry.version), by_patch(self.remote, self.capability, entry.type)
        if not self.alone(entry):
            return lambda client: [_result(client.update(raw, if_match=version))]

        def write(client: FhirClient) -> list[EntryResult]:
            now, match = _expect(client, entry)
            operations = self.operations(now, raw)
            type, id = entry.type, raw["id"]
            if not operations:
                return [EntryResult(_DONE, type, id, version, None, now, None)]
            return [_result(client.patch(type, id, operations, if_match=match) if patched else client.update(raw, if_match=match))]

        return write

    def operations(self, now: Raw, raw: Raw) -> list[Raw]:
        """The JSON Patch by which what is there now becomes what `body` gives."""
        return json_patch.patch(now, self._onto(now, raw))

    def _onto(self, now: Raw, raw: Raw) -> Raw:
        """What is there now with the elements of `raw` that say something else; its own form, order and server's elements stay."""
        was, wanted = self.edge.to_local(now), self.edge.to_local(raw)
        changed = {name for name in was.keys() | wanted.keys() if not same(was.get(name), wanted.get(name))}
        after = {name: value for name, value in now.items() if name not in changed} | {name: raw[name] for name in raw if name in changed}
        if "meta" in changed:
            servers = {name: value for name, value in now["meta"].items() if name in SERVER_META} if "meta" in now else {}
            after["meta"] = {**servers, **raw.get("meta", {})}
        return after

    def _delete(self, entry: Entry) -> Request:
        type, _, id = str(entry.there).partition("/")
        # A remote without versions has nothing that could be matched: what is there is compared just before.
        unversioned = _unversioned(entry)

        def delete(client: FhirClient) -> list[EntryResult]:
            match = _expect(client, entry)[1] if unversioned else entry.version
            client.delete(type, id, if_match=match)
            return [EntryResult(_DONE, type, id, None, None, None, None)]

        return delete


def _full_url(reference: str) -> str:
    """What a create goes by inside its transaction. Not by our id: it need be no UUID, and the faces of one record share theirs."""
    return uuid5(NAMESPACE_URL, reference).urn


def _unversioned(entry: Entry) -> bool:
    return _HASH(str(entry.version)) is not None


def _expect(client: FhirClient, entry: Entry) -> tuple[Raw, str | None]:
    """What is there now, and its version, None where the remote has none. Raises RemoteConflict where it is not what the entry expects."""
    type, _, id = str(entry.there).partition("/")
    now = client.read(type, id)
    if (now.version or content_hash(now.raw)) != entry.version:
        raise RemoteConflict(f"{type}/{id} at {client.base_url}: the remote's version moved.")
    return now.raw, now.version


def _result(written: Written) -> EntryResult:
    return EntryResult(201 if written.created else _DONE, written.type, written.id, written.version, None, written.raw, None)
