"""Pull: what the remote has, compared with what we have and with what both agreed on, resource by resource."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from adapter.errors import RemoteGone
from adapter.fhir.capability import Capability
from adapter.fhir.client import FhirClient
from adapter.fhir.exchange import Params
from adapter.fhir.resource import Raw, content, same, version_of
from adapter.mapping.derived import is_derived
from adapter.mapping.merge import Base, diff, diff_there, merge
from adapter.store.documents import UNSYNCED, Link, Stored
from adapter.store.repository import Repository
from adapter.sync.base import agreed, first_version, taken, unsent
from adapter.sync.conflicts.ownership import owners
from adapter.sync.conflicts.witness import Witness
from adapter.sync.edge import Edge, own_id, own_search
from adapter.sync.people.identity import FACTS
from adapter.sync.plan import Entry
from adapter.sync.remotes.remote import Remote

# Who is referred to comes before who refers, so that a person is known before the records about them are looked at.
# Types not named come after, by name. Read for information only by the server that owns them, these are not pulled unless asked for; a
# Binary because HAPI 8.8 keeps the files of its exports as Binaries, which a search finds: all of its data once more.
_FIRST = (
    *("Organization", "Location", "Practitioner", "PractitionerRole", "HealthcareService", "Endpoint", "Patient", "RelatedPerson", "Group"),
    *("Questionnaire", "PlanDefinition", "Coverage", "Consent", "Condition", "CareTeam", "EpisodeOfCare", "Encounter"),
)
_NOT_CASEWORK = frozenset(
    {"AuditEvent", "Binary", "Bundle", "CapabilityStatement", "CodeSystem", "CompartmentDefinition", "ConceptMap", "ExampleScenario"}
    | {"GraphDefinition", "ImplementationGuide", "MessageDefinition", "MessageHeader", "NamingSystem", "OperationDefinition"}
    | {"OperationOutcome", "Parameters", "SearchParameter", "StructureDefinition", "StructureMap", "Subscription"}
    | {"TerminologyCapabilities", "TestReport", "TestScript", "ValueSet"}
)

DOUBLE = "the remote has another that carries the same casebridge id"


def types_to_pull(remote: Remote, capability: Capability) -> list[str]:
    """The types to read from a remote, in order of reference."""
    return in_order(type for type in capability.types if capability.supports(type, "search-type") and wanted(remote, type))


def wanted(remote: Remote, type: str) -> bool:
    """Whether resources of this type are to come from the remote."""
    return type not in UNSYNCED and (type in remote.types if remote.types else type not in _NOT_CASEWORK)


def in_order(types: Iterable[str]) -> list[str]:
    """The types, those that are referred to before those that refer."""
    order = {type: rank for rank, type in enumerate(_FIRST)}
    return sorted(types, key=lambda type: (order.get(type, len(order)), type))


def own_ids(client: FhirClient, type: str, params: Params) -> Iterator[tuple[str, str]]:
    """(Type/id there, casebridge id) of the remote's resources that were born in a casebridge."""
    for page in client.search(type, {**own_search(type), **params}):
        for raw in page.entries:
            if id := own_id(raw):
                yield f"{type}/{raw['id']}", id


@dataclass(frozen=True)
class Puller:
    """Plans what a remote's resources mean for ours."""

    repository: Repository
    remote: Remote
    edge: Edge
    client: FhirClient
    """For single reads; not the one that pages."""
    in_conflict: Callable[[str], bool]
    """Whether a person has yet to decide about this resource (our Type/id)."""
    met: Callable[[str, list[Entry], Callable[[Entry, Stored], Entry]], list[Entry]] = lambda _type, entries, _join: entries
    """Finds, for who arrives, whether somebody here is the same; see `Arrivals.met`."""

    @property
    def witness(self) -> Witness:
        """What both sides did to a resource."""
        return Witness(self.repository, self.remote, self.edge, self.client)

    def plan(self, type: str, resources: list[Raw]) -> list[Entry]:
        """What is to be done about each of these resources of the remote, all of one type."""
        ids = {raw["id"]: self.edge.local_id(f"{type}/{raw['id']}") for raw in resources}
        ours = self.repository.find_many(type, ids.values())
        now, doubles = self._now(type, resources, ids, ours), self._doubles(type, ids, ours)
        entries = [
            Entry("pull", "skip", type, id, f"{type}/{there}", reason=DOUBLE)
            if there in doubles
            else self._entry(type, id, now[there], ours.get(id))
            for there, id in ids.items()
        ]
        return self.met(type, entries, self._joined)

    def _now(self, type: str, resources: list[Raw], ids: Mapping[str, str], ours: Mapping[str, Stored]) -> dict[str, Raw]:
        """The resources by their ids there; one in an older version than was agreed is read anew: as an edit, it would undo one."""
        told = {raw["id"]: raw for raw in resources}
        older = {f"{type}/{there}": there for there, raw in told.items() if self._is_older(raw, ours.get(ids[there]))}
        read = self.client.reads([*older]) if older else {}
        return told | {older[reference]: raw for reference, raw in read.items() if raw}

    def _is_older(self, raw: Raw, stored: Stored | None) -> bool:
        """Whether a later version was agreed, as far as versions are numbers. Only at a remote that was restored is it the current one."""
        link, version = stored.link(self.remote.name) if stored else None, str((raw.get("meta") or {}).get("versionId"))
        if link is None or link.reference != f"{raw['resourceType']}/{raw['id']}" or not (version.isdecimal() and link.version.isdecimal()):
            return False
        return int(version) < int(link.version)

    def _doubles(self, type: str, ids: Mapping[str, str], ours: Mapping[str, Stored]) -> set[str]:
        """The ids there of what carries the casebridge id of another that is still there, a copy: each would undo the other."""
        named = {there: id for there, id in ids.items() if (at := f"{type}/{there}") in self.edge.known and at not in self.edge.joined}
        linked = {id: [link.reference for link in stored.links if link.remote == self.remote.name] for id, stored in ours.items()}
        others = {there: linked[id] for there, id in named.items() if linked.get(id) and f"{type}/{there}" not in linked[id]}
        now = self.client.reads(sorted({each for references in others.values() for each in references})) if others else {}
        doubles = {there for there, references in others.items() if any(now.get(each, each) for each in references)}
        first = {id: there for there, id in reversed(named.items()) if there not in doubles}
        return doubles | {there for there, id in named.items() if first.get(id, there) != there}

    def _joined(self, entry: Entry, stored: Stored) -> Entry:
        """One about somebody of ours with whom nothing was agreed yet."""
        return self._merged(replace(entry, id=stored.id, stored=stored), stored, Base({}, {}))

    def _entry(self, type: str, id: str, raw: Raw, stored: Stored | None) -> Entry:
        version, theirs = version_of(raw), self.edge.to_local(raw)
        entry = Entry("pull", "unchanged", type, id, f"{type}/{raw['id']}", stored=stored, theirs=theirs, version=version, target=theirs)
        link = stored.link(self.remote.name) if stored else None
        if stored is None:
            return replace(entry, action="create")
        if link is None:
            return self._made_again(entry, stored) if stored.deleted else self._found_again(entry, stored)
        if (link.reference, link.version) == (entry.there, version):
            return entry
        if is_derived(theirs):
            return replace(entry, action="link", reason="derived here; what they made of it is ignored")
        return self._moved(entry, stored, link)

    def _found_again(self, entry: Entry, stored: Stored) -> Entry:
        """One that we made there, whose answer never reached us: their first version is what we sent."""
        theirs = entry.theirs or {}
        if same(content(theirs), content(stored.raw)):
            return replace(entry, action="link")
        first = first_version(self.client, self.edge, str(entry.there))
        return self._merged(replace(entry, base=first), stored, Base(first, first))

    def _made_again(self, entry: Entry, stored: Stored) -> Entry:
        """One that is deleted here and linked no more: both had deleted it, or it was never told of our deletion."""
        if self.remote.name in stored.outbox:
            return replace(entry, action="link", reason="deleted here, and not yet there")
        try:
            self.client.read(entry.type, str(entry.there).partition("/")[2])
        except RemoteGone:
            # A search that lags shows what is gone.
            return entry
        return replace(entry, action="update", reason="deleted on both sides, and made again there")

    def _moved(self, entry: Entry, stored: Stored, link: Link) -> Entry:
        base = agreed(self.repository, stored, link)
        theirs = entry.theirs or {}
        versions = [*unsent(self.repository, stored, link, base, self.remote.owners)]
        if held := taken(self.client, self.edge, versions, link, theirs, str(entry.version)):
            base, entry = held, replace(entry, base=held.theirs)
        if same(content(base.theirs), content(theirs)):
            return replace(entry, action="link")
        if stored.deleted:
            changes = tuple(diff_there(base.theirs, theirs))
            return replace(entry, action="conflict", reason="deleted here, edited there", changes=changes)
        return self._merged(entry, stored, base)

    def _merged(self, entry: Entry, stored: Stored, base: Base) -> Entry:
        theirs = entry.theirs or {}
        newest = self.witness.newest(entry)
        merged = merge(base, stored.raw, theirs, keep="ours", decisions=owners(self.remote.owners, theirs), newest=newest)
        entry = replace(entry, decided=merged.decided)
        if merged.conflicts:
            return replace(entry, action="conflict", reason="both sides changed an element", changes=tuple(merged.conflicts))
        changes = tuple(diff(stored.raw, merged.raw))
        whose = "update" if same(content(base.ours), content(stored.raw)) else "merge"
        return replace(entry, action=whose if changes else "link", changes=changes, target=merged.raw)

    def deletions(self, type: str, ids: list[str]) -> list[Entry]:
        """What is to be done about resources that the remote has deleted, given by their ids there."""
        here = {id: self.edge.local_id(f"{type}/{id}") for id in ids}
        ours = self.repository.find_many(type, here.values())
        return [entry for id in ids if (entry := self._deletion(type, id, ours.get(here[id])))]

    def _deletion(self, type: str, id: str, stored: Stored | None) -> Entry | None:
        link = stored.link(self.remote.name) if stored else None
        if stored is None or link is None or link.reference != f"{type}/{id}":
            # A resource that was deleted and made again there has two ids there and one here; only the one linked now counts.
            return None
        entry = Entry("pull", "delete", type, stored.id, f"{type}/{id}", stored=stored)
        if stored.deleted:
            return replace(entry, action="link", reason="deleted on both sides")
        base = agreed(self.repository, stored, link)
        if type in FACTS and (len(stored.links) > 1 or f"{type}/{id}" in self.edge.joined):
            changes = tuple(diff(base.ours, stored.raw))
            return replace(entry, action="conflict", reason="deleted there; it is not theirs alone", changes=changes)
        if same(content(base.ours), content(stored.raw)):
            return entry
        return replace(entry, action="conflict", reason="deleted there, edited here", changes=tuple(diff(base.ours, stored.raw)))
