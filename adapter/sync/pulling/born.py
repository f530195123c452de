"""Who was born in a casebridge, learned as it arrives: others make such resources while a pull runs.

A pull asks at its start for all of them. One that is made after that arrives with its id on it; and what refers to it can arrive first, so
unknown targets of what changed since then are looked up before the reference is translated. Else it would lead nowhere, for ever.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from adapter.errors import RemoteFatal
from adapter.fhir.dates import span
from adapter.fhir.outcome import ends_all
from adapter.fhir.resource import Raw
from adapter.store.by_id import by_id
from adapter.store.documents import UNSYNCED
from adapter.store.repository import Repository
from adapter.sync.edge import Edge, knows_own, own_id
from adapter.sync.pulling.pages import again
from adapter.sync.pulling.pull import own_ids
from adapter.sync.remotes.visit import Visit

_AT_ONCE = 50


@dataclass
class Born:
    """What one pull learns of them. `since` is the remote's time from which on a resource can be one that was not asked for."""

    visit: Visit
    repository: Repository
    since: datetime
    _asked: set[str] = field(default_factory=set)

    def learn(self, type: str, raws: Iterable[Raw]) -> None:
        """Make known the ids of these resources of the remote, and of what the new ones among them refer to. Raises RemoteError."""
        listed, edge = list(raws), self.visit.edge
        know(self.repository, edge, type, ((f"{type}/{raw['id']}", id) for raw in listed if (id := own_id(raw))))
        targets = {target for raw in listed if self._new(raw) for target in edge.targets(raw)}
        for target_type, unknown in self._unknown(targets - edge.known.keys() - edge.joined.keys() - self._asked).items():
            self._asked.update(unknown)
            ids = [reference.partition("/")[2] for reference in unknown]
            for start in range(0, len(ids), _AT_ONCE):
                asked = {"_id": ",".join(ids[start : start + _AT_ONCE])}
                try:
                    know(self.repository, edge, target_type, again(partial(own_ids, self.visit.single, target_type, asked), target_type))
                except RemoteFatal as error:
                    # We may not read this type at all, so none of it will ever be here.
                    if ends_all(error):
                        raise

    def _new(self, raw: Raw) -> bool:
        changed = span((raw.get("meta") or {}).get("lastUpdated"))
        return changed is None or changed[1] > self.since

    def _unknown(self, targets: Iterable[str]) -> Mapping[str, list[str]]:
        """Those that are not here, by type, of the types that can be asked for who was born in a casebridge."""
        by_type: dict[str, list[str]] = defaultdict(list)
        for reference in sorted(targets):
            by_type[reference.partition("/")[0]].append(reference)
        found, capability = {}, self.visit.capability
        for type, references in by_type.items():
            if type not in UNSYNCED and knows_own(capability, type) and "_id" in capability.search_params(type):
                found[type] = absent(self.repository, self.visit.edge, type, references)
        return found


def know(repository: Repository, edge: Edge, type: str, found: Iterable[tuple[str, str]]) -> None:
    """Make known (Type/id there, our id) of what was born in a casebridge; what came before that was known keeps the id it has here."""
    new = {there: id for there, id in found if there not in edge.known}
    edge.known.update({there: new[there] for there in absent(repository, edge, type, new)})


def absent(repository: Repository, edge: Edge, type: str, references: Iterable[str]) -> list[str]:
    """Those of a remote's resources, given as Type/id there, that are not here, in their order."""
    ids = {reference: edge.local_id(reference) for reference in references}
    here = {document["_id"] for document in by_id(repository.collection(type), ids.values(), {"_id": 1})} if ids else set()
    return [reference for reference, id in ids.items() if id not in here]
