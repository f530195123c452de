"""The ledger of who was found to be one: which of our resources stays, which gave way, and all that came by it, to be undone."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from pymongo.client_session import ClientSession

from adapter.errors import NotFound
from adapter.store.documents import Document, Link
from adapter.store.state import State

# A union is linked after the references to the one that gave way have been rewritten, and split after they have been written back.
LINKING, LINKED, SPLITTING, SPLIT = "linking", "linked", "splitting", "split"
IN_FORCE = {"$in": [LINKING, LINKED]}


def page(
    survivor: str,
    loser: str,
    moved: Iterable[Link],
    *,
    by: str,
    at: datetime,
    stays: Sequence[str] = (),
    gave: int = 0,
    came: Sequence[Document] = (),
    theirs: str = "",
    before: Document | None = None,
) -> Document:
    """A page of the ledger, on which `survivor` stays and `loser` gives way.

    `moved` are the links to remotes that go over, `stays` the remotes at which both are known. `gave` is the version of the one that gave
    way by which it did, 0 where that changed nothing of it; where it never was stored, `theirs` is what the remote said of it. `came` are
    the versions of the one that stays that hold what came by the link, with the remote's key where it came from there. `before` is an
    earlier page of the two.
    """
    links = [{"key": link.key, "remote": link.remote, "named": link.named} for link in moved]
    told = {"survivor": survivor, "loser": loser, "moved": links, "stays": [*stays], "gave": gave, "came": [*came], "theirs": theirs}
    past = [*before["earlier"], {name: before[name] for name in ("by", "at", "split")}] if before else []
    return {**told, "status": LINKING, "by": by, "at": at, "earlier": past}


class Unions:
    """Reads and writes of the ledger."""

    def __init__(self, state: State) -> None:
        self._state = state

    def put(self, id: str, union: Document, session: ClientSession | None = None) -> None:
        """Keep a union as it is now."""
        self._state.put("unions", id, union, session)
        for name in _names(union) if union["status"] == SPLITTING else ():
            self._state.drop("union_of", name, {"link": id}, session)

    def begin(self, unions: dict[str, Document], session: ClientSession) -> None:
        """Keep new unions, and by what they are found: who gave way, and what of remotes moved."""
        self._state.put_some("unions", unions, session)
        self._state.put_some("union_of", {name: {"link": id} for id, union in unions.items() for name in _names(union)}, session)

    def close(self, ids: Iterable[str]) -> None:
        """Keep that these unions are at their end."""
        wanted = [*ids]

        def keep(session: ClientSession) -> None:
            # Read where it is written: a pull may add to a page meanwhile.
            self._state.put_some("unions", {id: {**self.get(id, session), "status": LINKED} for id in wanted}, session)

        with self._state.session() as session:
            session.with_transaction(keep)

    def get(self, id: str, session: ClientSession | None = None) -> Document:
        """One union. Raises NotFound."""
        found = self._state.get("unions", id, session)
        if found is None:
            raise NotFound(f"There is no link {id}; `casebridge people links` shows them.")
        return found

    def find(self, id: str) -> Document | None:
        """One union, None where there never was one."""
        return self._state.get("unions", id)

    def all(self, query: dict[str, Any] | None = None) -> Iterator[tuple[str, Document]]:
        """All unions that match, with their ids."""
        yield from self._state.all("unions", query)

    def joined(self, remote: str) -> dict[str, str]:
        """Type/id there → our id, of the remote's resources that belong to one of ours by a union."""
        found = [union for _, union in self.all({"moved.remote": remote, "status": IN_FORCE})]
        stays = {union["loser"]: union["survivor"] for _, union in self.all({"status": IN_FORCE})} if found else {}
        result = {}
        for union in found:
            survivor = union["survivor"]
            while survivor in stays:
                survivor = stays[survivor]
            keys = (moved["key"] for moved in union["moved"] if moved["remote"] == remote)
            result.update({key.partition("|")[2]: survivor.partition("/")[2] for key in keys})
        return result

    def gave_way(self, reference: str) -> tuple[str, Document] | None:
        """The union in which this resource of ours gave way to another."""
        named = self._state.get("union_of", reference)
        return (named["link"], self.get(named["link"])) if named else None

    def gone(self, references: Iterable[str]) -> set[str]:
        """Those of these resources of ours that gave way to another."""
        wanted = list(references)
        return {name for name, _ in self._state.all("union_of", {"_id": {"$in": wanted}})} if wanted else set()

    def all_gone(self) -> set[str]:
        """All of ours that gave way to another."""
        return {name for name, _ in self._state.all("union_of") if "|" not in name}

    def came(self, key: str, survivor: str, step: Document, session: ClientSession | None = None) -> None:
        """Remember a step of one of ours that came by a union from a remote's resource, such as `hospital|Patient/1000`.

        A step is the `version` that it made, or the texts `before` and `made`, where a version holds other steps too.
        """
        # All in the caller's transaction, in which an earlier step of the same page may have been written.
        named = self._state.get("union_of", key, session)
        found = [(named["link"], self.get(named["link"], session))] if named else []
        if not found or found[0][1]["survivor"] != survivor:
            # It has moved on by a later union, or is about to move back.
            found = list(self._state.all("unions", {"moved.key": key, "survivor": survivor, "status": IN_FORCE}, session))
        for id, union in found:
            self._state.put("unions", id, {**union, "came": [*union["came"], {"key": key, **step}]}, session)

    def repointed(self, id: str, reference: str) -> Document | None:
        """What was rewritten in a resource because of a union, None where nothing was."""
        return self._state.get("repointed", f"{id} {reference}")

    def put_repointed(self, id: str, reference: str, version: int, session: ClientSession, *, back: bool = False) -> None:
        """Remember which version of a resource was made by rewriting its references, and whether they are back."""
        self._state.put("repointed", f"{id} {reference}", {"version": version, "back": back}, session)


def _names(union: Document) -> list[str]:
    return [union["loser"], *(moved["key"] for moved in union["moved"])]
