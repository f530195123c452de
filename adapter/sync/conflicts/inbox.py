"""What waits for a person: elements that both sides changed, and what a remote refuses. Nothing in conflict is written on either side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from uuid import uuid4

from pymongo.client_session import ClientSession

from adapter.clock import Clock
from adapter.errors import Conflict, Invalid, NotFound
from adapter.fhir.resource import dumps, parse, same
from adapter.mapping.merge import Change as Difference
from adapter.mapping.merge import diff, diff_there, merge
from adapter.store.documents import Change, Document, Stored
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.store.versions import made_by
from adapter.sync.conflicts.decision import SIDES, Decision, agreed_before, decided, provenance, ruled
from adapter.sync.people.unions import Unions
from adapter.sync.plan import Entry


def conflict_id(remote: str, reference: str) -> str:
    """The name by which a person speaks of a conflict: the remote and our Type/id."""
    return f"{remote}:{reference}"


class Conflicts:
    """The inbox: open and decided conflicts of all remotes."""

    def __init__(self, repository: Repository, state: State, clock: Clock) -> None:
        self._repository, self._state, self._clock = repository, state, clock

    def open(self, remote: str, entry: Entry, told: Document, session: ClientSession | None = None) -> None:
        """Keep a conflict with who and when (see `Witness.told`), or bring an open one up to date with what the remote says now."""
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
            "told": dumps(told),
            "ruled": dumps(dict(entry.decided)),
            "base": dumps(entry.base) if entry.base else None,
            "status": "open",
            "opened": since,
        }
        self._state.put("conflicts", id, body, session)

    def close(self, remote: str, reference: str, session: ClientSession) -> None:
        """Take away an open conflict about which there is nothing left to decide: both sides came to agree."""
        self._state.drop("conflicts", conflict_id(remote, reference), {"status": "open"}, session)

    def all(self, remote: str | None = None, status: str = "open") -> Iterator[tuple[str, Document]]:
        """Conflicts with their ids; `rows` as a list, `told` as `Witness.told` gave it."""
        query = {"status": status} | ({"remote": remote} if remote else {})
        for id, found in self._state.all("conflicts", query):
            yield id, _read(found)

    def get(self, id: str) -> Document:
        """One conflict; `rows` of an open one say what ours says now. Raises NotFound."""
        found = self._state.get("conflicts", id)
        if found is None:
            raise NotFound(f"There is no conflict {id}; `casebridge conflicts list` shows those that are open.")
        found = _read(found)
        if found["status"] == "open" and (stored := self._ours(found)) and self._moved(stored, found):
            now = found | {"ours": stored.version, "rows": [change.to_json() for change in self._differences(stored, found)]}
            return now if self._swap(id, found, now) else self.get(id)
        return found

    def find(self, remote: str, reference: str) -> Document | None:
        """The last conflict about this resource, open or decided."""
        return self._state.get("conflicts", conflict_id(remote, reference))

    def is_open(self, remote: str, reference: str) -> bool:
        """Whether a person has yet to decide about this resource."""
        found = self.find(remote, reference)
        return found is not None and found["status"] == "open"

    def resolve(self, id: str, winners: Mapping[str, str], *, by: str) -> Stored:
        """Carry out a person's decision: "ours" or "theirs" by path, or under "*" for all the rest.

        The next push sends what is ours. A Provenance of it is kept in the same transaction. Raises Invalid where a row is left
        undecided, or the conflict is decided already; Conflict where ours is no longer what was shown: look at it again.
        """
        before = self._state.get("conflicts", id)
        found = self.get(id)
        if found["status"] != "open":
            raise Invalid("This conflict is decided already.")
        if any(winner not in SIDES for winner in winners.values()):
            raise Invalid("A decision is `ours` or `theirs`.")
        stored = self._ours(found)
        if stored is None:
            raise NotFound("The resource of this conflict is no longer here.")
        if before and not same(_read(before)["rows"], found["rows"]):
            raise Conflict(f"Ours was changed since this conflict was found; look at it again with `casebridge conflicts show {id}`.")
        change = replace(decided(self._repository, stored, found, winners), seen=stored.links)
        decision = Decision(winners, by, self._clock())
        trace = self._trace(stored, change, found, decision)

        def close(session: ClientSession) -> None:
            told = {"by": by, "at": decision.at, "decisions": dumps(dict(winners)), "provenance": f"Provenance/{trace.id}"}
            if not self._swap(id, found, {**found, "status": "decided", "decided": told}, session):
                raise Conflict(f"It was changed, or decided, just now; look at it again with `casebridge conflicts show {id}`.")
            if (version := made_by(change, stored, decision.at, []).version) > stored.version:
                Unions(self._state).came(f"{found['remote']}|{found['there']}", stored.reference, {"version": version}, session)

        return self._repository.commit([change, trace], also=close)[0]

    def _trace(self, stored: Stored, change: Change, found: Document, decision: Decision) -> Change:
        """The Provenance of a decision. It goes to no remote but the one it is about, and there only where its setting says so."""
        settings = self._state.get("remotes", found["remote"]) or {}
        version = made_by(change, stored, decision.at, []).version
        raw = provenance(stored, version, found, decision, str(settings.get("url", "")))
        owed = (found["remote"],) if settings.get("provenance") else ()
        return Change("Provenance", str(uuid4()), raw, 0, born=found["remote"], owed=owed)

    def _ours(self, found: Document) -> Stored | None:
        type, _, id = found["reference"].partition("/")
        return self._repository.find(type, id)

    @staticmethod
    def _moved(stored: Stored, found: Document) -> bool:
        """Whether ours was changed since the conflict was last read, and it is known from what."""
        return stored.version != found["ours"] and bool(stored.link(found["remote"]) or found.get("base"))

    def _differences(self, stored: Stored, found: Document) -> Sequence[Difference]:
        """The elements in conflict, with what ours says now."""
        base, theirs = agreed_before(self._repository, stored, found), parse(found["theirs"]) if found["theirs"] else None
        if stored.deleted:
            return diff_there(base.theirs, theirs or {})
        if theirs is None:
            return diff(base.ours, stored.raw)
        return merge(base, stored.raw, theirs, decisions=ruled(found)).conflicts

    def _swap(self, id: str, found: Document, new: Document, session: ClientSession | None = None) -> bool:
        """Write it anew, unless a sync or another person did so since it was read."""
        expect = {name: found[name] for name in ("status", "version", "ours")}
        return self._state.swap("conflicts", id, expect, {**new, "rows": dumps(new["rows"]), "told": dumps(new["told"])}, session)


def _read(found: Document) -> Document:
    rows: Document = parse(f'{{"rows":{found["rows"]}}}')
    return {**found, **rows, "told": parse(found.get("told", "{}"))}
