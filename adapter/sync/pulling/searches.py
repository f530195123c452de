"""What a pull asks a remote for: by type, the searches for what is new since the last time, and how much each of them finds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import zip_longest
from urllib.parse import parse_qsl, urlencode

from adapter.clock import instant
from adapter.errors import RemoteError, RemoteFatal
from adapter.fhir.client import FhirClient
from adapter.fhir.exchange import Params
from adapter.fhir.outcome import ends_all
from adapter.store.documents import UNSYNCED
from adapter.store.repository import Repository
from adapter.sync.edge import knows_own, own_search
from adapter.sync.pulling.born import know
from adapter.sync.pulling.cursors import Cursor, Cursors, digest
from adapter.sync.pulling.pages import Part, Search, again
from adapter.sync.pulling.pull import in_order, own_ids, types_to_pull
from adapter.sync.pulling.scope import Scope, of_patients, patient_parameter
from adapter.sync.remotes.visit import Visit

# Ids in one search: 2.5 KB of an address, of which servers take 8.
_IDS = 50
# The scope of a cursor of what came because others refer to it: of such a type nothing else is asked for.
_REFERRED = "referred"


@dataclass
class Searches:
    """The searches of one pull. `started` is the remote's time when it began; `linked` are the ids there of what we have, by type."""

    visit: Visit
    repository: Repository
    cursors: Cursors
    scope: Scope
    started: datetime
    linked: Mapping[str, Sequence[str]]
    failed: dict[str, RemoteError] = field(default_factory=dict)
    """The types that cannot be asked, and why."""
    unasked: list[str] = field(default_factory=list)
    """The types of which the remote cannot search a patient's."""

    def parts(self) -> list[Part]:
        """The types to pull, counted; learns who of them was born in a casebridge. Raises RemoteError where no type can be hoped for."""
        remote, capability = self.visit.remote, self.visit.capability
        drafts = {type: part for type in types_to_pull(remote, capability) if (part := self._part(type))}
        if remote.depth and not remote.mine:
            others = {type for type in self.linked if type not in drafts and self._may_be_referred_to(type)}
            drafts |= {type: part for type in others if (part := self._referred(type))}
        parts = self._counted([drafts[type] for type in in_order(drafts)])
        self.failed |= self._learn_own(parts)
        self._learn_own(self._counted([*self._own_elsewhere(drafts)]))
        return [part for part in parts if part.type not in self.failed]

    def _may_be_referred_to(self, type: str) -> bool:
        """Whether resources of a type that is not asked for come because others refer to them."""
        return self.visit.capability.supports(type, "search-type") and not (self.scope.patients is not None and of_patients(type))

    def _own_elsewhere(self, drafts: Mapping[str, Part]) -> Iterator[Part]:
        """The types that may be referred to, for what was born in a casebridge."""
        for type in self.visit.capability.types if self.visit.remote.depth else ():
            if type not in drafts and type not in UNSYNCED and self._may_be_referred_to(type):
                yield Part(type, (Search(own_search(type)),), Cursor(None), Cursor(None))

    def _part(self, type: str) -> Part | None:
        remote, capability = self.visit.remote, self.visit.capability
        params = [own_search(type)] if remote.mine else []
        if remote.mine and not knows_own(self.visit.capability, type):
            return None
        patients, by = self.scope.patients, patient_parameter(type, capability)
        if patients is not None and by is None:
            if of_patients(type):
                self.unasked.append(type)
                return None
            if type not in remote.searches and not remote.mine:
                return self._referred(type)
        query = remote.searches.get(type, remote.searches.get("*", ""))
        asked = _all_of(*params, *({name: value} for name, value in parse_qsl(query, keep_blank_values=True)))
        cursor = self._valid(type, digest(*([urlencode(asked, doseq=True)] if asked else [])))
        if patients is None or by is None:
            return self._drafted(type, [asked], cursor, cursor.since if not cursor.scope else None)
        before = self.cursors.patients(cursor.scope) if cursor.since else frozenset()
        lead = "" if type == "Patient" else "Patient/"
        known, new = ([_all_of(asked, {by: ids}) for ids in _chunks(lead, some)] for some in (patients & before, patients - before))
        draft = self._drafted(type, known, replace(cursor, scope=digest("patients", *sorted(patients))), cursor.since, new)
        return replace(draft, patients=patients)

    def _referred(self, type: str) -> Part | None:
        """What is here because others refer to it is kept in step, by id."""
        if type not in self.linked or "_id" not in self.visit.capability.search_params(type):
            return None
        cursor = self._valid(type, "")
        since = cursor.since if cursor.scope in ("", _REFERRED) else None
        return self._drafted(type, [{"_id": ids} for ids in _chunks("", self.linked[type])], replace(cursor, scope=_REFERRED), since)

    def _valid(self, type: str, asked: str) -> Cursor:
        """The type's cursor, or a new one where another search is made now, or the remote does not tell what changed."""
        cursor = self.cursors.of(type)
        dated = "_lastUpdated" in self.visit.capability.search_params(type)
        return cursor if cursor.asked == asked and dated else Cursor(None, asked, compared=cursor.compared)

    def _drafted(self, type: str, known: Sequence[Params], cursor: Cursor, since: datetime | None, new: Iterable[Params] = ()) -> Part:
        changed = {"_lastUpdated": f"ge{instant(since)}"} if since else {}
        searches = [*(Search(_all_of(params, changed)) for params in known), *map(Search, new)]
        dated = "_lastUpdated" in self.visit.capability.search_params(type)
        after = replace(cursor, since=self.started - timedelta(seconds=self.visit.remote.overlap))
        whole = bool(searches) and (since is None or not known)
        return Part(type, tuple(searches), replace(cursor, since=since), after, {"_sort": "_lastUpdated"} if dated else {}, whole)

    def _counted(self, parts: list[Part]) -> list[Part]:
        """The parts with their counts, asked many at once: first the first search of each, then the second."""
        found: dict[str, list[int | None]] = {part.type: [] for part in parts}
        for some in zip_longest(*(part.searches for part in parts)):
            asked = {part.type: search.params for part, search in zip(parts, some, strict=True) if search}
            for type, count in counts(self.visit.client, asked).items():
                found[type].append(count)
        return [
            replace(part, searches=tuple(Search(each.params, count) for each, count in zip(part.searches, found[part.type], strict=True)))
            for part in parts
        ]

    def _learn_own(self, parts: Iterable[Part]) -> dict[str, RemoteError]:
        """Learn our ids of what was born in a casebridge, of what comes and of what it may refer to; the types that cannot be asked."""
        failed: dict[str, RemoteError] = {}
        for part in parts:
            try:
                for search in part.searches if knows_own(self.visit.capability, part.type) else ():
                    if search.count != 0:
                        found = again(partial(own_ids, self.visit.client, part.type, search.params), part.type)
                        know(self.repository, self.visit.edge, part.type, found)
            except RemoteError as error:
                if ends_all(error):
                    raise
                failed[part.type] = error
        return failed


def _all_of(*searches: Params) -> Params:
    """One search for what all of these find."""
    found: dict[str, list[str]] = {}
    for params in searches:
        for name, value in params.items():
            found.setdefault(name, []).extend([str(value)] if isinstance(value, str | int) else value)
    return found


def _chunks(lead: str, ids: Iterable[str]) -> Iterator[str]:
    """The ids as values of a search for any of them, some at a time."""
    listed = sorted(ids)
    return (",".join(f"{lead}{id}" for id in listed[start : start + _IDS]) for start in range(0, len(listed), _IDS))


def counts(client: FhirClient, searches: Mapping[str, Params]) -> Mapping[str, int | None]:
    """How many resources each search, by type, finds; None for a remote that does not tell, or refuses: then the search itself will."""
    try:
        return client.counts(searches)
    except RemoteFatal as error:
        if ends_all(error):
            raise
        return {type: _count(client, type, params) for type, params in searches.items()}


def _count(client: FhirClient, type: str, params: Params) -> int | None:
    try:
        return client.count(type, params)
    except RemoteFatal as error:
        if ends_all(error):
            raise
        return None
