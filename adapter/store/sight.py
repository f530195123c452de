"""What somebody may see of what is stored, now: compiled to conditions that a query takes in, or judged document by document.

A condition is enough where a resource is one patient's and the consents are about types and sensitive categories: then whose it is, as the
search index has it, says all. What needs more to be known (several owners, a category of the policy in the past, a consent about codes or
dates, what is seen by its target) is read and judged.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from adapter.access import whose
from adapter.access.consent import Content
from adapter.access.disclosure import Card, Disclosure, disclosure, keys
from adapter.access.groups import MEMBERSHIP, addressee, members
from adapter.access.policy import Policy, policy_for
from adapter.access.sensitive import codings
from adapter.access.ties import Tie
from adapter.access.viewer import Viewer
from adapter.fhir.references import split
from adapter.fhir.resource import Raw, parse
from adapter.store import cards, subscriptions
from adapter.store.bounds import is_embedded
from adapter.store.by_id import by_id
from adapter.store.care_dates import care
from adapter.store.documents import Document
from adapter.store.filters import KEY, one_of
from adapter.store.index import OUTSIDE, WHOSE
from adapter.store.rows import Row

OWNER = f"fhir.index.{WHOSE}"
JUDGED: Document = {"fhir.type": 1, "fhir.id": 1, "fhir.version": 1, "fhir.updated": 1, "fhir.raw": 1, OWNER: 1}
"""The projection of a document that is judged."""

_NOTHING: Document = {"_id": {"$in": []}}
_NOBODY = f"{whose.PATIENT}/"
"""Whose cards are looked up where there is no owner."""
_CATEGORY = "fhir.index.category"
_BESIDE_KEY = f"fhir.index.{OUTSIDE}"
# The search parameters by which a query names the patients whose resources it asks for, where these can have one owner only.
_NAMING = tuple(f"fhir.index.{name}" for name in ("patient", "subject", "beneficiary", "individual", "candidate"))
# So many members that their own keys lead to what is theirs sooner than the time of the last update does.
_FEW = 100
# More entries than these are compared here: the embedded store takes 3 µs for each of them and document, beside 60 to read the document.
_COMPARED = 8


@dataclass(frozen=True)
class Narrowed:
    """A filter that finds only what may be seen; or, where that is to be `sieved` or `judged`, all of it and perhaps more."""

    filter: Document
    judged: bool = False
    sieved: frozenset[str] = frozenset()
    """What may be seen has one of these entries of whose it is; empty where the filter says so itself."""

    @property
    def exact(self) -> bool:
        """Whether the filter finds nothing else."""
        return not (self.judged or self.sieved)

    @property
    def whole(self) -> Document:
        """The filter that says by itself what is sieved."""
        return {**self.filter, OWNER: _one_entry(self.sieved)} if self.sieved else self.filter

    def keeps(self, document: Document) -> bool:
        """Whether a document that the filter found has one of the entries."""
        return not (self.sieved and self.sieved.isdisjoint(_whose(document)))


class Sight:
    """What somebody may see. It is made for one request: what it learnt of patients holds as long as it lives."""

    def __init__(self, database: Database[Document], viewer: Viewer, policy: Policy, moment: datetime, site: frozenset[str]) -> None:
        self.viewer, self.policy = viewer, policy
        self.database, self._moment, self.site = database, moment, site
        self._known: dict[str, Disclosure | None] = {}

    @cached_property
    def name(self) -> str:
        """Whose sight it is, the same in each of their requests."""
        return f"{self.viewer.role} {' '.join(sorted(self.viewer.ties | self.viewer.glass | self.viewer.offered))} {self.viewer.purpose}"

    def again(self, purpose: str | None = None) -> "Sight":
        """The same sight of what is stored now; for this purpose, where one is named."""
        viewer = replace(self.viewer, purpose=purpose) if purpose else self.viewer
        return Sight(self.database, viewer, self.policy, self._moment, self.site)

    def ties(self, patient: str) -> list[Tie]:
        """What ties a patient to the viewer, now or at another time."""
        wanted = keys(self.viewer, self.policy)
        return [tie for tie in cards.of(self.database, [patient])[patient].ties if tie.key in wanted]

    def of(self, patients: Iterable[str]) -> dict[str, Disclosure]:
        """What may be seen of these patients, without those of whom it is nothing."""
        wanted = [*dict.fromkeys(patients)]
        if unknown := [patient for patient in wanted if patient not in self._known]:
            told = {} if self.policy.everybody else cards.of(self.database, unknown)
            self._known.update({patient: self._disclosed(patient, told.get(patient, cards.NONE)) for patient in unknown})
        return {patient: found for patient in wanted if (found := self._known[patient])}

    @cached_property
    def everyone(self) -> dict[str, Disclosure]:
        """What may be seen of all patients who are tied or offered to the viewer, or for whom the glass was broken."""
        tied = {} if self.policy.everybody else cards.tied(self.database, keys(self.viewer, self.policy))
        self._known.update({patient: self._disclosed(patient, card) for patient, card in tied.items() if patient not in self._known})
        return self.of([*tied, *sorted(self.viewer.glass | self.viewer.offered)])

    def _disclosed(self, patient: str, card: Card, *, by_glass: bool = True) -> Disclosure | None:
        broken, offered = by_glass and patient in self.viewer.glass, patient in self.viewer.offered
        return disclosure(card, self.viewer, self.policy, self._moment, self.site, broken=broken, offered=offered)

    def by_glass(self, patients: Iterable[str]) -> set[str]:
        """Those of these who are seen for a broken glass alone."""
        broken = self.viewer.glass & {*patients}
        told = cards.of(self.database, broken) if broken else {}
        return {patient for patient in broken if not self._disclosed(patient, told[patient], by_glass=False)}

    def offer(self, patients: frozenset[str]) -> None:
        """Let these patients be seen from now on: who registered somebody sees them."""
        self.viewer = replace(self.viewer, offered=self.viewer.offered | patients)
        self._known = {patient: known for patient, known in self._known.items() if patient not in patients}
        self.__dict__.pop("everyone", None)

    def narrowed(self, collection: Collection[Document], type: str, query: Document, *, past: bool = False) -> Narrowed:
        """The filter of a query of this type, as far as it finds what may be seen. `past`: it is asked of the history."""
        if type == subscriptions.TYPE:
            return Narrowed(query, judged=True)
        if type in self.policy.open:
            return Narrowed(query)
        if type in self.policy.by_target + self.policy.by_characteristic or (self.policy.view(type) and whose.shared(type)):
            return Narrowed(query, judged=True)
        view = self.policy.view(type)
        if view is None:
            return Narrowed(_NOTHING)
        if self.policy.everybody:
            return Narrowed(query)
        named = self._named(collection, query)
        found = self.everyone if named is None else self.of(named)
        owned = [whose.entry(patient, told) for patient, each in found.items() for told in each.visible(type)]
        if not owned:
            return Narrowed(_NOTHING)
        apart = len(owned) > _COMPARED and is_embedded(self.database.client)
        within = {**query} if apart else {**query, OWNER: _one_entry(owned)}
        sieved = frozenset(owned if apart else ())
        if any(each.by_content for each in found.values()) or (view.category and (past or _CATEGORY in query)):
            return Narrowed(within, judged=True, sieved=sieved)
        if view.category:
            within[_CATEGORY] = {"$elemMatch": {"$in": [*view.category]}}
        if named is None and len(found) <= _FEW and query.get("fhir.deleted") is False and not {KEY, "_id"} & query.keys():
            within |= _led(type, found)
        return Narrowed(within, sieved=sieved)

    def _named(self, collection: Collection[Document], query: Document) -> set[str] | None:
        """The patients whose resources alone the query can find; None where these can be anybody's."""
        for path in _NAMING:
            if path in query and (named := _values(query[path])) is not None:
                return {text if "/" in text else f"{whose.PATIENT}/{text}" for text in named}
        if _BESIDE_KEY in query:
            # Members of a compartment: most are its owner's, and some somebody else's, of whom the owner is the author.
            entries = (entry for found in collection.find(query, {OWNER: 1}) for entry in _whose(found))
            return {*whose.read(entries)} or {_NOBODY}
        return None

    def seen(self, type: str, documents: Iterable[Document]) -> set[Any]:
        """The `_id`s of those of these documents, of one type, that may be seen. They are read by the projection JUDGED."""
        several = [*documents]
        if type == subscriptions.TYPE:
            own = subscriptions.owned(self.database, self.viewer.name)
            return {document["_id"] for document in several if document["fhir"]["id"] in own}
        if type in self.policy.open:
            return {document["_id"] for document in several}
        if type in self.policy.by_target:
            return self._by_target(several)
        if type in self.policy.by_characteristic:
            return {document["_id"] for document in several if addressee(_lazily(document)()) in self.viewer.ties}
        if self.policy.view(type) is None:
            return set()
        owners = [owner for document in several for owner in whose.read(_whose(document))]
        # What is not there is to take as many questions as what may not be seen.
        self.of(owners if owners or self._known else [_NOBODY])
        return {document["_id"] for document in several if self._permits(type, document)}

    def told_of(self, group: Raw) -> Raw:
        """A Group with those of its members who are patients and may be seen, and no others."""
        named = {split(text): member for text, member in members(group)}
        people = {found[1]: member for found, member in named.items() if found and found[0] == whose.PATIENT}
        there = self.seen(whose.PATIENT, by_id(self.database[whose.PATIENT], sorted(people), JUDGED))
        told = [member for id, member in people.items() if id in there]
        rest = {name: value for name, value in group.items() if name not in MEMBERSHIP}
        return {**rest, "member": told} if told else rest

    def _permits(self, type: str, document: Document) -> bool:
        owners, view = whose.read(_whose(document)), self.policy.view(type)
        found = self.of(owners)
        if view is None or len(found) < len(owners) or not (owners or self.policy.everybody):
            return False
        raw = _lazily(document)
        if view.category and not {coding.get("code") for coding in codings(raw().get("category"))} & {*view.category}:
            return False
        if not document["fhir"]["raw"] and any(each.by_content for each in found.values()):
            # Of what was deleted nothing is known any more but whose it was, and how sensitive.
            return False
        return all(each.permits(_content(type, owners[owner], document, raw if each.by_content else None)) for owner, each in found.items())

    def _by_target(self, documents: list[Document]) -> set[Any]:
        """Those all of whose targets may be seen."""
        told = {document["_id"]: {*targets(_lazily(document)().get("target"))} for document in documents}
        wanted: dict[str, set[str]] = defaultdict(set)
        for reference in (each for several in told.values() for each in several):
            type, _, id = reference.partition("/")
            wanted[type].add(id)
        there = {
            f"{type}/{id}"
            for type, ids in wanted.items()
            if type and type not in self.policy.by_target
            for id in self.seen(type, by_id(self.database[type], sorted(ids), JUDGED))
        }
        return {id for id, several in told.items() if several and several <= there}


def sight_of(database: Database[Document], viewer: Viewer, moment: datetime, site: frozenset[str] = frozenset()) -> Sight:
    """What a viewer may see at this moment, by the policy of the role. `site` is what the organisation that keeps the data here goes by,
    as `Type/id`. Raises Forbidden for a role without a policy."""
    return Sight(database, viewer, policy_for(viewer), moment, site)


def _one_entry(owned: Iterable[str]) -> Document:
    """The condition that whose it is has one of these entries."""
    several = sorted(owned)
    return {"$all": several} if len(several) == 1 else {"$elemMatch": {"$in": several}}


def _led(type: str, found: Mapping[str, Disclosure]) -> Document:
    """The condition by which an index leads to what is these patients'."""
    if type == whose.PATIENT:
        return {"_id": one_of(patient.partition("/")[2] for patient in found)}
    return {KEY: one_of(found)}


def _values(condition: Any) -> list[str] | None:
    """The texts of which a condition on a list demands one; None where it demands something else."""
    if isinstance(condition, str):
        return [condition]
    if not isinstance(condition, dict):
        return None
    if isinstance(several := condition.get("$in"), list):
        return several
    for part in [*condition.get("$all", ()), *([condition["$elemMatch"]] if "$elemMatch" in condition else [])]:
        if (found := _values(part)) is not None:
            return found
    return None


def _whose(document: Document) -> list[str]:
    found: list[str] = document.get("fhir", {}).get("index", {}).get(WHOSE, [])
    return found


def _lazily(document: Document) -> Callable[[], Raw]:
    text = document["fhir"]["raw"]
    return lambda: parse(text) if text else {}


def _content(type: str, labels: frozenset[str], document: Document, raw: Callable[[], Raw] | None) -> Content:
    """What of a document consents can be about; with `raw` its codes and dates too."""
    if raw is None:
        return Content(type, labels)
    codes = frozenset(f"{coding['system']}|{coding['code']}" for coding in codings(raw()))
    row = Row.of(document)
    return Content(type, labels, f"{type}/{row.id}", codes, care(row))


def targets(told: Any) -> Iterator[str]:
    """Of what a Provenance or an AuditEvent tells, as `Type/id`, by its list of targets or entities; an empty text for what is not here."""
    for target in told if isinstance(told, list) else ():
        reference = target.get("what", target) if isinstance(target, dict) else None
        text = reference.get("reference") if isinstance(reference, dict) else None
        found = split(text) if isinstance(text, str) else None
        yield f"{found[0]}/{found[1]}" if found else ""
