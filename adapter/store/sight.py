"""What somebody may see of what is stored, now: compiled to conditions that a query takes in, or judged document by document.

A condition is enough where a resource is one patient's and the consents are about types and sensitive categories: then whose it is, as the
search index has it, says all. What needs more to be known (several owners, a category of the policy in the past, a consent about codes or
dates, what is seen by its target) is read and judged.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from pymongo.collection import Collection
from pymongo.database import Database

from adapter.access import whose
from adapter.access.consent import Content
from adapter.access.disclosure import Card, Disclosure, disclosure, keys
from adapter.access.policy import Policy, policy_for
from adapter.access.sensitive import codings
from adapter.access.viewer import Viewer
from adapter.fhir.references import split
from adapter.fhir.resource import Raw, parse
from adapter.store import cards
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
_CATEGORY = "fhir.index.category"
_BESIDE_KEY = f"fhir.index.{OUTSIDE}"
# The search parameters by which a query names the patients whose resources it asks for, where these can have one owner only.
_NAMING = tuple(f"fhir.index.{name}" for name in ("patient", "subject", "beneficiary", "individual", "candidate"))
# So many members that their own keys lead to what is theirs sooner than the time of the last update does.
_FEW = 100


@dataclass(frozen=True)
class Narrowed:
    """A filter that finds only what may be seen; or, where it is to be `judged`, all of that and perhaps more."""

    filter: Document
    judged: bool = False


class Sight:
    """What somebody may see. It is made for one request: what it learnt of patients holds as long as it lives."""

    def __init__(self, database: Database[Document], viewer: Viewer, policy: Policy, moment: datetime, site: frozenset[str]) -> None:
        self.viewer, self.policy = viewer, policy
        self._database, self._moment, self.site = database, moment, site
        self._known: dict[str, Disclosure | None] = {}

    @cached_property
    def name(self) -> str:
        """Whose sight it is, the same in each of their requests."""
        return f"{self.viewer.role} {' '.join(sorted(self.viewer.ties | self.viewer.glass))} {self.viewer.purpose}"

    def of(self, patients: Iterable[str]) -> dict[str, Disclosure]:
        """What may be seen of these patients, without those of whom it is nothing."""
        wanted = [*dict.fromkeys(patients)]
        if unknown := [patient for patient in wanted if patient not in self._known]:
            told = {} if self.policy.everybody else cards.of(self._database, unknown)
            self._known.update({patient: self._disclosed(patient, told.get(patient, cards.NONE)) for patient in unknown})
        return {patient: found for patient in wanted if (found := self._known[patient])}

    @cached_property
    def everyone(self) -> dict[str, Disclosure]:
        """What may be seen of all patients who are tied to the viewer, or for whom the glass was broken."""
        tied = {} if self.policy.everybody else cards.tied(self._database, keys(self.viewer, self.policy))
        self._known.update({patient: self._disclosed(patient, card) for patient, card in tied.items() if patient not in self._known})
        return self.of([*tied, *sorted(self.viewer.glass)])

    def _disclosed(self, patient: str, card: Card) -> Disclosure | None:
        broken = patient in self.viewer.glass
        return disclosure(card, self.viewer, self.policy, self._moment, self.site, broken=broken)

    def narrowed(self, collection: Collection[Document], type: str, query: Document, *, past: bool = False) -> Narrowed:
        """The filter of a query of this type, as far as it finds what may be seen. `past`: it is asked of the history."""
        if type in self.policy.open:
            return Narrowed(query)
        if type in self.policy.by_target or (self.policy.view(type) and whose.shared(type)):
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
        within = {**query, OWNER: {"$all": owned} if len(owned) == 1 else {"$elemMatch": {"$in": owned}}}
        if any(each.by_content for each in found.values()) or (view.category and (past or _CATEGORY in query)):
            return Narrowed(within, judged=True)
        if view.category:
            within[_CATEGORY] = {"$elemMatch": {"$in": [*view.category]}}
        if named is None and len(found) <= _FEW and query.get("fhir.deleted") is False and not {KEY, "_id"} & query.keys():
            within |= _led(type, found)
        return Narrowed(within)

    def _named(self, collection: Collection[Document], query: Document) -> set[str] | None:
        """The patients whose resources alone the query can find; None where these can be anybody's."""
        for path in _NAMING:
            if path in query and (named := _values(query[path])) is not None:
                return {text if "/" in text else f"{whose.PATIENT}/{text}" for text in named}
        if _BESIDE_KEY in query:
            # Members of a compartment: most are its owner's, and some somebody else's, of whom the owner is the author.
            entries = (entry for found in collection.find(query, {OWNER: 1}) for entry in _whose(found))
            return {*whose.read(entries)}
        return None

    def seen(self, type: str, documents: Iterable[Document]) -> set[Any]:
        """The `_id`s of those of these documents, of one type, that may be seen. They are read by the projection JUDGED."""
        several = [*documents]
        if type in self.policy.open:
            return {document["_id"] for document in several}
        if type in self.policy.by_target:
            return self._by_target(several)
        if self.policy.view(type) is None:
            return set()
        self.of(owner for document in several for owner in whose.read(_whose(document)))
        return {document["_id"] for document in several if self._permits(type, document)}

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
            for id in self.seen(type, by_id(self._database[type], sorted(ids), JUDGED))
        }
        return {id for id, several in told.items() if several and several <= there}


def sight_of(database: Database[Document], viewer: Viewer, moment: datetime, site: frozenset[str] = frozenset()) -> Sight:
    """What a viewer may see at this moment, by the policy of the role. `site` is what the organisation that keeps the data here goes by,
    as `Type/id`. Raises Forbidden for a role without a policy."""
    return Sight(database, viewer, policy_for(viewer), moment, site)


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
