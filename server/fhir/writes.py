"""From a request to a change: what must be true before a write, decided again for as long as other writers come first."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, urlencode

from pymongo.client_session import ClientSession
from pymongo.database import Database

from adapter.errors import Invalid, MultipleMatches, VersionConflict
from adapter.fhir.resource import Raw, check_structure
from adapter.store import search
from adapter.store.documents import Change, Document, Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters

# Every round that fails means that another writer's round succeeded.
_ROUNDS = 100


@dataclass(frozen=True)
class Claim:
    """The sole right to create the resource of a condition: `criteria` are normalised, `holder` had the right before."""

    criteria: str
    holder: str | None


@dataclass(frozen=True)
class Write:
    """A write that was found possible. `raw` None is a deletion; `found` is set where there is nothing to write."""

    type: str
    id: str
    raw: Raw | None = None
    expect: int = 0
    creates: bool = False
    claim: Claim | None = None
    found: Stored | None = None


def create(repository: Repository, type: str, raw: Raw, criteria: str | None, base: str) -> Write:
    """A new resource, or the one that `criteria` (If-None-Exist) select. Raises Invalid, MultipleMatches."""
    _check(type, raw)
    raw = {name: value for name, value in raw.items() if name != "id"}
    write = Write(type, str(uuid.uuid4()), raw, creates=True)
    return write if criteria is None else _unless_found(repository, write, criteria, base)


def update(repository: Repository, type: str, id: str, raw: Raw, if_match: int | None) -> Write:
    """A new version of a resource, or the resource under this id. Raises Invalid, VersionConflict."""
    _check(type, raw)
    if "id" not in raw:
        raise Invalid("An update needs the id in the resource.", expression=[f"{type}.id"])
    if raw["id"] != id:
        raise Invalid("The id in the resource is not the id in the URL.", expression=[f"{type}.id"])
    check_id(id)
    current = _current(repository, type, id, if_match)
    return Write(type, id, raw, current.version if current else 0, creates=current is None or current.deleted)


def delete(repository: Repository, type: str, id: str, if_match: int | None) -> Write:
    """The deletion of a resource; of what is not there, nothing. Raises VersionConflict."""
    parameters(type)
    current = _current(repository, type, id, if_match)
    if current is None:
        return Write(type, id, found=Stored(type, id, 0, repository.clock(), deleted=True, text=""))
    return Write(type, id, None, current.version, found=current if current.deleted else None)


def settle(repository: Repository, plan: Callable[[], Sequence[Write]]) -> list[tuple[Write, Stored]]:
    """Plan and commit, all or nothing; where another writer came in between, plan again. Raises what `plan` raises."""
    for _ in range(_ROUNDS):
        writes = plan()
        due = [write for write in writes if write.found is None]
        if not due:
            return [(write, write.found) for write in writes if write.found]
        try:
            stored = iter(
                repository.commit(
                    [Change(write.type, write.id, write.raw, write.expect) for write in due],
                    also=lambda session, due=due: _claim(repository.database, due, session),  # type: ignore[misc]
                )
            )
        except VersionConflict:
            continue
        return [(write, write.found or next(stored)) for write in writes]
    raise VersionConflict("Other writers kept changing what this request writes; try again.")


def select(repository: Repository, type: str, criteria: str, base: str) -> list[search.Row]:
    """What a condition selects: none, one, or two for any more. Raises Invalid where it selects nothing in particular."""
    return search.run(repository.database, replace(_query(type, criteria, base), count=2)).rows


def check_id(id: str) -> None:
    """Raise Invalid unless this can be a resource's id."""
    if not (0 < len(id) <= 64 and id.isascii() and all(char.isalnum() or char in "-." for char in id)):
        raise Invalid("An id has 1 to 64 letters, digits, hyphens and dots.")


def _check(type: str, raw: Raw) -> None:
    parameters(type)
    if raw.get("resourceType") != type:
        raise Invalid("The resource is not of the type in the URL.", expression=["resourceType"])
    meta = raw.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise Invalid(f"Not a valid {type}: meta is not an object.", expression=[f"{type}.meta"])
    check_structure(raw)


def _current(repository: Repository, type: str, id: str, if_match: int | None) -> Stored | None:
    current = repository.find(type, id)
    if if_match is not None and (current is None or current.deleted or current.version != if_match):
        raise VersionConflict(f"If-Match does not name the current version of this {type}.")
    return current


def _query(type: str, criteria: str, base: str) -> search.Query:
    pairs = parse_qsl(criteria.lstrip("?"), keep_blank_values=True)
    if not pairs or any(name.partition(":")[0] in search.CONTROLS for name, _ in pairs):
        raise Invalid("A condition needs search parameters, and none of those that only shape the answer.")
    return search.parse(type, pairs, base=base)


def _unless_found(repository: Repository, write: Write, criteria: str, base: str) -> Write:
    pairs = sorted(parse_qsl(criteria.lstrip("?"), keep_blank_values=True))
    key = f"{write.type}?{urlencode(pairs)}"
    # The claim is read before the search: what the search does not find then, the claim's holder is not.
    claim = repository.database["claims"].find_one({"_id": key})
    rows = select(repository, write.type, criteria, base)
    if len(rows) > 1:
        raise MultipleMatches("If-None-Exist selects several resources.")
    if rows:
        return replace(write, id=rows[0].id, creates=False, found=repository.find(write.type, rows[0].id))
    return replace(write, claim=Claim(key, claim["holder"] if claim else None))


def _claim(database: Database[Document], writes: Sequence[Write], session: ClientSession) -> None:
    """Take the claims of these writes, in their transaction. Raises DuplicateKeyError or VersionConflict where another writer has one."""
    for write in writes:
        if write.claim is None:
            continue
        if write.claim.holder is None:
            database["claims"].insert_one({"_id": write.claim.criteria, "holder": write.id}, session=session)
            continue
        held = {"_id": write.claim.criteria, "holder": write.claim.holder}
        if database["claims"].update_one(held, {"$set": {"holder": write.id}}, session=session).matched_count != 1:
            raise VersionConflict("Another writer took the right to create this resource.")
