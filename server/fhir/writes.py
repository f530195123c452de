"""From a request to a change: what must be true before a write, decided again for as long as other writers come first."""

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from pymongo.client_session import ClientSession

from adapter.errors import Conflict, Gone, Invalid, MultipleMatches, NotFound, VersionConflict
from adapter.fhir.resource import Raw, check_structure
from adapter.fhir.structure import check_codes
from adapter.store import claims, search
from adapter.store.cost import Costs
from adapter.store.documents import Change, Document, Stored
from adapter.store.joins import settled
from adapter.store.matching import candidate, matches
from adapter.store.repository import Also, Repository
from adapter.store.search_parameters import parameters
from adapter.store.versions import same_content
from server.auth.grant import UNLIMITED, Grant
from server.fhir.messages import ABSENT
from server.fhir.sizes import check_depth, pairs

# Every round that fails means that another writer's round succeeded.
_ROUNDS = 100
Criteria = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Write:
    """A write that was found possible. `raw` None is a deletion; `found` is set where there is nothing to write."""

    type: str
    id: str
    raw: Raw | None = None
    expect: int = 0
    creates: bool = False
    put: bool = False
    """Whether it creates under an id of the caller's."""
    claim: claims.Claim | None = None
    found: Stored | None = None
    before: Stored | None = None
    """What an update is over: where it says the same, that is told, and nothing is written."""
    owner: Document | None = None
    """To whom a Subscription belongs from then on."""

    @property
    def reference(self) -> str:
        return f"{self.type}/{self.id}"


class Plan:
    """The writes of one request, decided one after the other: each sees what those before it do.

    A condition is about what is stored and, in a transaction, about what the transaction makes.
    """

    def __init__(
        self,
        repository: Repository,
        base: str,
        ids: Iterable[tuple[str, str]] = (),
        *,
        grant: Grant = UNLIMITED,
        costs: Costs | None = None,
    ) -> None:
        """`ids` are the (type, id) that the writes are about, as far as they say so: read at once, not one by one.

        Conditions are searches: they ask of no more than `grant` allows, and cost no more than `costs` do.
        """
        self._grant, self._costs = grant, costs
        self.repository = repository
        self.base = base
        self._now = repository.clock()
        self._ids: set[tuple[str, str]] = set()
        self._conditions: set[str] = set()
        self._by_type: dict[str, list[Write]] = defaultdict(list)
        self._candidates: dict[tuple[str, str], Document] = {}
        self._known: dict[tuple[str, str], Stored | None] = {}
        wanted = [*ids]
        for type in {type for type, _ in wanted}:
            several = {id for named, id in wanted if named == type}
            found = repository.find_many(type, several)
            self._known.update({(type, id): found.get(id) for id in several})

    def create(self, type: str, raw: Raw, criteria: Criteria | None) -> Write:
        """A new resource, or the one that `criteria` (If-None-Exist) select. Raises Invalid, MultipleMatches."""
        _check(type, raw)
        write = Write(type, str(uuid.uuid4()), {name: value for name, value in raw.items() if name != "id"}, creates=True)
        if criteria is None:
            return self._planned(write)
        claim = claims.claim(self.repository.database, type, criteria)
        stored = self._selected(type, criteria)
        self._permitted(stored, "u")
        return replace(write, id=stored.id, creates=False, found=stored) if stored else self._planned(replace(write, claim=claim))

    def update(self, type: str, id: str, raw: Raw, expected: int | None) -> Write:
        """A new version of a resource, or the resource under this id. Raises Invalid, VersionConflict."""
        _check(type, raw)
        if "id" not in raw:
            raise Invalid("An update needs the id in the resource.", expression=[f"{type}.id"])
        if raw["id"] != id:
            raise Invalid("The id in the resource is not the id in the URL.", expression=[f"{type}.id"])
        check_id(id)
        return self._over(type, id, raw, self._current(type, id, expected, "u"))

    def update_selected(self, type: str, criteria: Criteria, raw: Raw, expected: int | None) -> Write:
        """A new version of the one resource that is selected, or the first of a new one; an id in `raw` must be the selected one's.

        Raises Invalid, MultipleMatches, VersionConflict, Conflict where the id of a new one is in use.
        """
        _check(type, raw)
        claim = claims.claim(self.repository.database, type, criteria)
        stored = self._selected(type, criteria)
        id = raw.get("id")
        if stored:
            if id not in (None, stored.id):
                raise Invalid("The id in the resource is not that of the resource that is selected.", expression=[f"{type}.id"])
            self._permitted(stored, "u")
            _expect(stored, type, expected)
            return self._over(type, stored.id, raw, stored)
        _expect(None, type, expected)
        if id is None:
            return self._planned(Write(type, str(uuid.uuid4()), raw, creates=True, claim=claim))
        check_id(id)
        current = self._find(type, id)
        self._permitted(current, "u")
        if current and not current.deleted:
            raise Conflict("The condition selects nothing, and the id in the resource is another's.", expression=[f"{type}.id"])
        return self._over(type, id, raw, current, claim)

    def patch(self, type: str, id: str, change: Callable[[Raw], Raw], expected: int | None) -> Write:
        """A new version of a resource, patched. Raises NotFound, Gone, and what `change` raises."""
        parameters(type)
        current = self._current(type, id, expected, "u")
        if current is None:
            raise NotFound(f"There is no {type} with this id.")
        if current.deleted:
            raise Gone(f"This {type} was deleted in version {current.version}.")
        return self._patched(current, change)

    def patch_selected(self, type: str, criteria: Criteria, change: Callable[[Raw], Raw], expected: int | None) -> Write:
        """A new version of the one resource that is selected. Raises NotFound, MultipleMatches, and what `change` raises."""
        stored = self._selected(type, criteria)
        if stored is None:
            raise NotFound("The condition selects nothing to patch.")
        self._permitted(stored, "u")
        _expect(stored, type, expected)
        return self._patched(stored, change)

    def delete(self, type: str, id: str, expected: int | None) -> Write:
        """The deletion of a resource; of what is not there, nothing. Raises VersionConflict."""
        parameters(type)
        current = self._current(type, id, expected, "d")
        if current is None:
            return self._planned(self._nothing(type, id))
        return self._planned(Write(type, id, None, current.version, found=current if current.deleted else None))

    def delete_selected(self, type: str, criteria: Criteria, expected: int | None) -> Write:
        """The deletion of the one resource that is selected, or nothing. Raises MultipleMatches, VersionConflict."""
        stored = self._selected(type, criteria)
        self._permitted(stored, "d")
        _expect(stored, type, expected)
        return self._planned(Write(type, stored.id, None, stored.version)) if stored else self._nothing(type, "")

    def select(self, type: str, criteria: Criteria) -> list[Stored]:
        """What a condition selects: none, one, or two for any more. Raises Invalid where it selects nothing in particular."""
        if not criteria or any(name.partition(":")[0] in search.CONTROLS for name, _ in criteria):
            raise Invalid("A condition needs search parameters, and none of those that only shape the answer.")
        mine = [write for write in self._by_type[type] if write.found is None]
        kept = {write.id for write in mine if write.expect}
        query = self._grant.narrowed(search.parse(type, criteria, base=self.base, clock=self.repository.clock))
        if self._costs:
            self._costs.check(query)
        query = settled(self.repository.database, replace(query, count=2 + len(kept)))
        rows = search.run(self.repository.database, query).rows
        found = [Stored(type, row.id, row.version, row.updated, deleted=False, text=row.text) for row in rows if row.id not in kept]
        for write in mine:
            if write.raw is not None and matches(query.filter, self._candidate(write, write.raw)):
                found.append(Stored(type, write.id, write.expect + 1, self._now, deleted=False, text=""))
        return found[:2]

    def _candidate(self, write: Write, raw: Raw) -> Document:
        key = write.type, write.id
        if key not in self._candidates:
            self._candidates[key] = candidate(write.id, raw, self._now)
        return self._candidates[key]

    def _selected(self, type: str, criteria: Criteria) -> Stored | None:
        parameters(type)
        found = self.select(type, criteria)
        if len(found) > 1:
            raise MultipleMatches("The condition selects several resources.")
        if found and (type, found[0].id) in self._ids:
            raise Invalid("Two entries of a transaction write one resource.")
        return found[0] if found else None

    def _find(self, type: str, id: str) -> Stored | None:
        return self._known[type, id] if (type, id) in self._known else self.repository.find(type, id)

    def _permitted(self, current: Stored | None, letter: str) -> None:
        """Raise NotFound for what may not be changed so: first of all, since an If-Match or a patch that tests it would tell what it is."""
        allowed = self._grant.conditions(current.type, letter) if current and current.text else None
        if current and allowed and not self._grant.fits(allowed, current.id, current.raw, current.updated):
            raise NotFound(f"There is no {current.type} with this id.")

    def _current(self, type: str, id: str, expected: int | None, letter: str) -> Stored | None:
        current = self._find(type, id)
        self._permitted(current, letter)
        _expect(current, type, expected)
        return current

    def _over(self, type: str, id: str, raw: Raw, current: Stored | None, claim: claims.Claim | None = None) -> Write:
        before = None if current is None or current.deleted else current
        fresh, version = before is None, current.version if current else 0
        return self._planned(Write(type, id, raw, version, creates=fresh, put=fresh, claim=claim, before=before))

    def _patched(self, current: Stored, change: Callable[[Raw], Raw]) -> Write:
        raw = change(current.raw)
        check_depth(raw)
        if raw.get("id") != current.id or raw.get("resourceType") != current.type:
            raise Invalid("A patch may not change what resource it is: its type and its id.")
        _check(current.type, raw)
        return self._over(current.type, current.id, raw, current)

    def _nothing(self, type: str, id: str) -> Write:
        return Write(type, id, found=Stored(type, id, 0, self._now, deleted=True, text=""))

    def _planned(self, write: Write) -> Write:
        condition = write.claim.condition if write.claim else None
        if (write.type, write.id) in self._ids or condition in self._conditions:
            raise Invalid("Two entries of a transaction write one resource.")
        self._ids.add((write.type, write.id))
        self._by_type[write.type].append(write)
        if condition:
            self._conditions.add(condition)
        return write


Guard = Callable[[Sequence[Write]], Also | None]
"""Makes of the writes that are due what else their transaction must find true; None where that is nothing."""


def settle(repository: Repository, plan: Callable[[], Sequence[Write]], guards: Sequence[Guard] = ()) -> list[tuple[Write, Stored]]:
    """Plan and commit, all or nothing; where another writer came in between, plan again. Raises what `plan` and the guards raise."""
    for _ in range(_ROUNDS):
        writes = [_as_it_is(write) for write in plan()]
        due = [write for write in writes if write.found is None]
        if not due:
            return [(write, write.found) for write in writes if write.found]
        changes = [Change(write.type, write.id, write.raw, write.expect, put=write.put, owner=write.owner) for write in due]
        steps: list[Also] = [partial(_claim, repository, due)] if any(write.claim for write in due) else []
        steps += [step for guard in guards if (step := guard(due))]
        try:
            stored = iter(repository.commit(changes, also=partial(_each, steps) if steps else None))
        except VersionConflict:
            continue
        return [(write, write.found or next(stored)) for write in writes]
    raise VersionConflict("Other writers kept changing what this request writes; try again.")


def _as_it_is(write: Write) -> Write:
    """The write; of one that would change nothing, what is there: whoever is told that reads it."""
    return replace(write, found=write.before) if write.before and same_content(write.raw, write.before) else write


def criteria(text: str) -> list[tuple[str, str]]:
    """The search parameters that a condition consists of."""
    return pairs(text.lstrip("?"))


def check_id(id: object) -> None:
    """Raise Invalid unless this can be a resource's id."""
    if not (isinstance(id, str) and 0 < len(id) <= 64 and id.isascii() and all(char.isalnum() or char in "-." for char in id)):
        raise Invalid("An id has 1 to 64 letters, digits, hyphens and dots.")


def _check(type: str, raw: Raw) -> None:
    parameters(type)
    if raw.get("resourceType") != type:
        raise Invalid("The resource is not of the type in the URL.", expression=["resourceType"])
    meta = raw.get("meta")
    if meta is not None and not isinstance(meta, dict):
        raise Invalid(f"Not a valid {type}: meta is not an object.", expression=[f"{type}.meta"])
    check_structure(raw)
    check_codes(raw)


def _expect(current: Stored | None, type: str, expected: int | None) -> None:
    version = current.version if current and not current.deleted else ABSENT
    if expected not in (None, version):
        told = f"There is a {type} already." if expected == ABSENT else f"If-Match does not name the current version of this {type}."
        raise VersionConflict(told)


def _each(steps: Sequence[Also], session: ClientSession) -> None:
    for step in steps:
        step(session)


def _claim(repository: Repository, writes: Sequence[Write], session: ClientSession) -> None:
    for write in writes:
        if write.claim:
            claims.take(repository.database, write.claim, write.id, session)
