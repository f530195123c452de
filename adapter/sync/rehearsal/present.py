"""What a remote has now of what a plan is about: learnt in few searches, before anything is sent."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapter.errors import RemoteFatal
from adapter.fhir.client import FhirClient
from adapter.fhir.resource import Raw, version_of
from adapter.sync.edge import own_id, own_search
from adapter.sync.plan import SENT, Entry

# Ids in one search: some servers take no URL over 2,000 characters.
_AT_ONCE = 20


@dataclass
class Present:
    """What was found, and what was asked: a type that cannot be searched stays unknown."""

    there: dict[str, list[Raw]] = field(default_factory=dict)
    """By `name_of` the entry that is about it."""
    asked: set[str] = field(default_factory=set)

    @staticmethod
    def of(client: FhirClient, entries: Iterable[Entry]) -> "Present":
        """What the remote has of what these entries would create, update or delete."""
        found = Present()
        by_search: dict[tuple[str, bool], list[Entry]] = defaultdict(list)
        for entry in entries:
            if entry.action in SENT:
                by_search[entry.type, entry.there is None].append(entry)
        for (type, is_new), some in by_search.items():
            for part in (some[start : start + _AT_ONCE] for start in range(0, len(some), _AT_ONCE)):
                found._learn(client, type, part, is_new)
        return found

    def _learn(self, client: FhirClient, type: str, entries: list[Entry], is_new: bool) -> None:
        searches = [own_search(type, entry.id) if is_new else {"_id": str(entry.there).partition("/")[2]} for entry in entries]
        params = {name: ",".join(search[name] for search in searches) for name in searches[0]}
        try:
            for raw in (raw for page in client.search(type, params) for raw in page.entries):
                name = f"ours {type}/{own_id(raw)}" if is_new else f"{type}/{raw.get('id')}"
                self.there.setdefault(name, []).append(raw)
        except RemoteFatal:
            return
        self.asked.update(map(name_of, entries))

    def now(self, entry: Entry) -> Raw | None:
        """What is there now of what the entry is about."""
        return next(iter(self.there.get(name_of(entry), ())), None)

    def state(self, entry: Entry) -> str:
        """How that meets what the entry expects: none, one, several, moved, or unknown where it could not be asked for."""
        name = name_of(entry)
        found = self.there.get(name, [])
        if not found:
            return "none" if name in self.asked else "unknown"
        if entry.there is None:
            return "one" if len(found) == 1 else "several"
        return "one" if version_of(found[0]) == entry.version else "moved"

    def expected(self, entry: Entry) -> bool:
        """Whether the remote has what the entry expects, as far as it could be asked."""
        return self.state(entry) in ("unknown", "none" if entry.there is None else "one")


def name_of(entry: Entry) -> str:
    """What is looked for: the resource that is linked, or one that carries our id."""
    return entry.there or f"ours {entry.reference}"
