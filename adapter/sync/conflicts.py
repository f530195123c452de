"""What waits for a person: elements that both sides changed, and what a remote refuses. Nothing in conflict is written on either side."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pymongo.client_session import ClientSession

from adapter.clock import Clock
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import content, dumps, parse, same
from adapter.mapping.merge import merge
from adapter.store.documents import CURRENT, Change, Document, Link, Stored
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.plan import Entry
from adapter.sync.pull import agreed


def conflict_id(remote: str, reference: str) -> str:
    """The name by which a person speaks of a conflict: the remote and our Type/id."""
    return f"{remote}:{reference}"


class Conflicts:
    """The inbox: open and decided conflicts of all remotes."""

    def __init__(self, repository: Repository, state: State, clock: Clock) -> None:
        self._repository, self._state, self._clock = repository, state, clock

    def open(self, remote: str, entry: Entry, session: ClientSession | None = None) -> None:
        """Keep a conflict, or bring an open one up to date with what the remote says now."""
        id = conflict_id(remote, entry.reference)
        known = self._state.get("conflicts", id, session)
        since = known["opened"] if known and known["status"] == "open" else self._clock()
        body = {
            "remote": remote,
            "reference": entry.reference,
            "there": entry.there,
            "reason": entry.reason,
            "version": entry.version,
            "ours": entry.stored.version if entry.stored else 0,
            "theirs": dumps(entry.theirs) if entry.theirs else None,
            "rows": dumps([change.to_json() for change in entry.changes]),
            "status": "open",
            "opened": since,
        }
        self._state.put("conflicts", id, body, session)

    def all(self, remote: str | None = None, status: str = "open") -> Iterator[tuple[str, Document]]:
        """Conflicts with their ids; `rows` as a list."""
        query = {"status": status} | ({"remote": remote} if remote else {})
        for id, found in self._state.all("conflicts", query):
            yield id, {**found, "rows": _rows(found)}

    def get(self, id: str) -> Document:
        """One conflict. Raises NotFound."""
        found = self._state.get("conflicts", id)
        if found is None:
            raise NotFound(f"There is no conflict {id}; `casebridge conflicts list` shows those that are open.")
        return {**found, "rows": _rows(found)}

    def find(self, remote: str, reference: str) -> Document | None:
        """The last conflict about this resource, open or decided."""
        return self._state.get("conflicts", conflict_id(remote, reference))

    def is_open(self, remote: str, reference: str) -> bool:
        """Whether a person has yet to decide about this resource."""
        found = self.find(remote, reference)
        return found is not None and found["status"] == "open"

    def resolve(self, id: str, decisions: Mapping[str, str], *, by: str) -> Stored:
        """Carry out a person's decision: "ours" or "theirs" by path, or under "*" for all the rest.

        The next push sends what is ours. Raises Invalid where a row is left undecided, or the conflict is decided already.
        """
        found = self.get(id)
        if found["status"] != "open":
            raise Invalid("This conflict is decided already.")
        if any(winner not in ("ours", "theirs") for winner in decisions.values()):
            raise Invalid("A decision is `ours` or `theirs`.")
        type, _, local = found["reference"].partition("/")
        stored = self._repository.find(type, local)
        link = stored.link(found["remote"]) if stored else None
        if stored is None:
            raise NotFound("The resource of this conflict is no longer here.")
        change = _decided(self._repository, stored, link, found, decisions)
        decided = {"by": by, "at": self._clock(), "decisions": dumps(dict(decisions))}

        def close(session: ClientSession) -> None:
            body = {name: value for name, value in found.items() if name != "rows"}
            self._state.put("conflicts", id, {**body, "rows": dumps(found["rows"]), "status": "decided", "decided": decided}, session)

        return self._repository.commit([change], also=close)[0]


def _rows(found: Document) -> list[dict[str, Any]]:
    return parse(f'{{"rows":{found["rows"]}}}')["rows"]  # type: ignore[no-any-return]


def _decided(repository: Repository, stored: Stored, link: Link | None, found: Document, decisions: Mapping[str, str]) -> Change:
    remote, rest = found["remote"], decisions.get("*")
    others = tuple(each for each in stored.links if each.remote != remote)
    named = link.named if link else True
    theirs = parse(found["theirs"]) if found["theirs"] else None
    if theirs is None or stored.deleted:
        if rest is None:
            raise Invalid("One side deleted it: decide for all of it, ours or theirs.")
        return _decided_deletion(stored, others, theirs, found, rest, named)
    chosen = dict(decisions) | {row["path"]: rest for row in found["rows"] if rest and row["path"] not in decisions}
    base = agreed(repository, stored, link) if link else None
    if base is None:
        raise Invalid("The resource is no longer linked to this remote; run a pull first.")
    merged = merge(base, stored.raw, theirs, keep="ours", decisions=chosen)
    if merged.conflicts:
        raise Invalid(f"Left undecided: {', '.join(change.path.partition('[')[0] for change in merged.conflicts)}.")
    agreement = Link(remote, found["there"], found["version"], 0, found["theirs"], named)
    if same(content(merged.raw), content(theirs)):
        return Change(
            stored.type, stored.id, merged.raw, stored.version, links=(*others, replace(agreement, at=CURRENT, theirs=None)), sent=remote
        )
    return Change(stored.type, stored.id, merged.raw, stored.version, links=(*others, agreement), owed=(remote,))


def _decided_deletion(
    stored: Stored, others: tuple[Link, ...], theirs: dict[str, Any] | None, found: Document, winner: str, named: bool
) -> Change:
    """Ours or theirs, where one of the two is that it does not exist."""
    remote = found["remote"]
    if theirs is None and winner == "theirs":
        return Change(stored.type, stored.id, None, stored.version, links=others, sent=remote)
    if theirs is None:
        # Made again there on the next push: as a new resource, since the old one is gone.
        return Change(stored.type, stored.id, stored.raw, stored.version, links=others, owed=(remote,))
    link = Link(remote, found["there"], found["version"], 0, found["theirs"], named)
    if winner == "ours":
        return Change(stored.type, stored.id, None, stored.version, links=(*others, link), owed=(remote,))
    return Change(stored.type, stored.id, theirs, stored.version, links=(*others, replace(link, at=CURRENT, theirs=None)), sent=remote)
