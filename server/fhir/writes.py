"""From a request to a change: what must be true before a write, decided again for as long as other writers come first."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl

from pymongo.client_session import ClientSession

from adapter.errors import Invalid, MultipleMatches, VersionConflict
from adapter.fhir.resource import Raw, check_structure
from adapter.store import claims, search
from adapter.store.documents import Change, Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import parameters

# Every round that fails means that another writer's round succeeded.
_ROUNDS = 100


@dataclass(frozen=True)
class Write:
    """A write that was found possible. `raw` None is a deletion; `found` is set where there is nothing to write."""

    type: str
    id: str
    raw: Raw | None = None
    expect: int = 0
    creates: bool = False
    claim: claims.Claim | None = None
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
                    also=lambda session, due=due: _claim(repository, due, session),  # type: ignore[misc]
                )
            )
        except VersionConflict:
            continue
        return [(write, write.found or next(stored)) for write in writes]
    raise VersionConflict("Other writers kept changing what this request writes; try again.")


def select(repository: Repository, type: str, criteria: str, base: str) -> list[search.Row]:
    """What a condition selects: none, one, or two for any more. Raises Invalid where it selects nothing in particular."""
    return search.run(repository.database, _query(type, _pairs(criteria), base)).rows


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


def _query(type: str, criteria: Sequence[tuple[str, str]], base: str) -> search.Query:
    if not criteria or any(name.partition(":")[0] in search.CONTROLS for name, _ in criteria):
        raise Invalid("A condition needs search parameters, and none of those that only shape the answer.")
    return replace(search.parse(type, criteria, base=base), count=2)


def _unless_found(repository: Repository, write: Write, criteria: str, base: str) -> Write:
    pairs = _pairs(criteria)
    query = _query(write.type, pairs, base)
    claim = claims.claim(repository.database, write.type, pairs)
    rows = search.run(repository.database, query).rows
    if len(rows) > 1:
        raise MultipleMatches("If-None-Exist selects several resources.")
    if rows:
        found = repository.find(write.type, rows[0].id)
        # Deleted since the search: written as new under its id, it fails, and all is planned again.
        return replace(write, id=rows[0].id, creates=False, found=None if found is None or found.deleted else found)
    return replace(write, claim=claim)


def _pairs(criteria: str) -> list[tuple[str, str]]:
    return parse_qsl(criteria.lstrip("?"), keep_blank_values=True)


def _claim(repository: Repository, writes: Sequence[Write], session: ClientSession) -> None:
    for write in writes:
        if write.claim:
            claims.take(repository.database, write.claim, write.id, session)
