"""A repository as one viewer sees it: reads what may be seen, and changes only that."""

from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.database import Database

from adapter.access import whose
from adapter.access.whose import PATIENT
from adapter.errors import Forbidden, VersionConflict
from adapter.fhir import references
from adapter.fhir.resource import dumps
from adapter.store import offers, subscriptions
from adapter.store.documents import Change, Document, Stored
from adapter.store.faces import Faces
from adapter.store.index import WHOSE
from adapter.store.repository import Also, Repository
from adapter.store.sight import Sight, targets
from adapter.store.sighted import SightedDatabase

_CASE = "EpisodeOfCare"
# What is nobody's and tells of other resources, and by which element.
_TELLING = {"AuditEvent": "entity", "Provenance": "target"}
# So many belong to one owner at most.
_SUBSCRIPTIONS = 100


def seen_by(repository: Repository, sight: Sight) -> Repository:
    """The repository as whoever has this sight sees it."""
    return _Seen(repository, sight)


class _Seen(Repository):
    def __init__(self, whole: Repository, sight: Sight) -> None:
        self._whole, self.sight, self._sight = whole, sight, sight
        self.clock = whole.clock
        self.database = cast(Database[Document], SightedDatabase(whole.database, sight))
        self.faces = Faces(self.database)

    def collection(self, type: str) -> Collection[Document]:
        # Asked for first, since the whole makes the collection of any name.
        seen = self.database[type]
        self._whole.collection(type)
        return seen

    def types(self) -> list[str]:
        return self._whole.types()

    @property
    def whole(self) -> Repository:
        return self._whole

    def commit(self, changes: Sequence[Change], *, also: Also | None = None) -> list[Stored]:
        """Carry out changes of what may be seen. Raises Forbidden for others, whether what they would change is there or not."""
        new, beside = _new(changes), {f"{change.type}/{change.id}" for change in changes}
        for type in {change.type for change in changes}:
            self._check(type, [change for change in changes if change.type == type], new, beside)
        if self._sight.viewer.glass and self._sight.by_glass(self._owners(changes)):
            raise Forbidden("For whom the glass is broken, the record is looked at and not changed.")
        cases = {id for change in changes for id in _cases(change)} - {change.id for change in changes if change.type == _CASE}
        if len(self.rows(_CASE, cases)) < len(cases):
            raise Forbidden("What is written names a case that is not seen, or is not here.")
        kept = offers.registering(self._whole, self._sight.viewer, new)
        made = self._whole.commit(changes, also=_both(also, kept) if also and kept else also or kept)
        if kept:
            self._sight.offer(new)
        return made

    def _owners(self, changes: Sequence[Change]) -> set[str]:
        """The patients in whose record something is changed, as it is and as it is to be, or of whose record something is told."""
        found = {owner for change in changes if change.raw for owner in whose.owners({**change.raw, "id": change.id})}
        touched: dict[str, set[str]] = defaultdict(set)
        for change in changes:
            told = targets((change.raw or {}).get(_TELLING.get(change.type, "")))
            for type, _, id in (reference.partition("/") for reference in told if reference):
                touched[type].add(id)
            touched[_CASE] |= _cases(change)
            touched[change.type] |= {change.id} if change.expect else set()
        for type, ids in touched.items():
            found.update(owner for stored in self.find_many(type, ids).values() for owner in whose.read(stored.whose))
        return found

    def _check(self, type: str, changes: Sequence[Change], new: frozenset[str], beside: set[str]) -> None:
        if not self._sight.policy.may_write(type):
            raise Forbidden(f"This role does not write a {type}.")
        if any(change.put and change.expect == 0 for change in changes):
            raise Forbidden("Who does not see everything creates by POST: whether an id is in use is not told.")
        known = self.find_many(type, [change.id for change in changes if change.expect])
        if any(change.expect and change.id not in known for change in changes):
            raise VersionConflict(f"This {type} is not at the version that the change was made against.")
        if type == subscriptions.TYPE:
            self._check_told(changes)
            return
        made = [document for change in changes if change.raw is not None and (document := _candidate(change, new, beside))]
        if len(self._sight.seen(type, made)) < len(made):
            raise Forbidden(f"A {type} of a patient who is not seen, or of nobody, is not written.")

    def _check_told(self, changes: Sequence[Change]) -> None:
        """Raise Forbidden for a Subscription that would be another's or nobody's, for one to what its owner sees nothing of, and for one
        too many: each makes all writes dearer."""
        mine, new = self._sight.viewer.name, sum(change.expect == 0 for change in changes)
        if new and len(subscriptions.owned(self.database, mine)) + new > _SUBSCRIPTIONS:
            raise Forbidden(f"Nobody has more than {_SUBSCRIPTIONS} Subscriptions: delete one that is not needed any more.")
        for change in changes:
            if not (change.owner["name"] == mine if change.owner else change.expect):
                raise Forbidden("A Subscription belongs to who writes it.")
            asked = subscriptions.query(str(change.raw.get("criteria"))).type if change.raw else None
            if asked and not self._sight.policy.sees(asked):
                raise Forbidden(f"This role sees no {asked}, so it is told of none.")


def _both(first: Also, second: Also) -> Also:
    def also(session: ClientSession) -> None:
        first(session)
        second(session)

    return also


def _new(changes: Sequence[Change]) -> frozenset[str]:
    """The patients that these changes make."""
    return frozenset(f"{PATIENT}/{change.id}" for change in changes if change.type == PATIENT and change.expect == 0 and not change.put)


def _cases(change: Change) -> set[str]:
    """The cases that a resource names: what is written into one is part of its process, whoever's it is."""
    named = (references.split(found["reference"]) for found in references.walk(change.raw))
    return {target[1] for target in named if target and target[0] == _CASE}


def _candidate(change: Change, new: frozenset[str], beside: set[str]) -> Document | None:
    """A resource that is written, to be judged as if it were stored; None for what is of patients who are new, and for what tells of
    nothing but resources that are written `beside` it, each judged by itself."""
    raw = {**(change.raw or {}), "id": change.id}
    entries = whose.entries(raw)
    if entries and whose.read(entries).keys() <= new:
        return None
    if change.type in _TELLING:
        told = {*targets(raw.get(_TELLING[change.type]))}
        if told and told <= beside:
            return None
        raw[_TELLING[change.type]] = [{"reference": reference} for reference in sorted(told - beside)]
    face = {"type": change.type, "id": change.id, "version": 0, "updated": None, "raw": dumps(raw), "index": {WHOSE: entries}}
    return {"_id": change.id, "fhir": face}
