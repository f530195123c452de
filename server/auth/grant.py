"""What the scopes of a token permit, asked at each door: the interaction, the search that is run, the row that is shown.

A scope with a query (`?category=…`) and one of a patient's context are conditions on a resource: a search takes them in as clauses, and
what is read by id is judged by the same clauses in memory, so that both agree.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property, lru_cache
from urllib.parse import parse_qsl

from adapter.errors import CasebridgeError, Forbidden, Invalid
from adapter.fhir.resource import Raw, parse
from adapter.fhir.scopes import Scope, scopes
from adapter.store.filters import KEY, OWNED, PLAIN, Clause, belonging, merged
from adapter.store.index import WHOSE
from adapter.store.matching import candidate, matches
from adapter.store.membership import compartment
from adapter.store.query import CONTROLS, Chain, Coded, Has, Join, Listed, Query
from adapter.store.query import parse as parse_query
from adapter.store.search_parameters import parameters
from server.auth.needs import ALL, ANY, INTERACTIONS, JUDGED_WITHIN, OPERATIONS, OWN, ROW_BY_ROW, WRITING
from server.interaction import interaction

Alternatives = tuple[tuple[Clause, ...], ...]
"""A resource is granted if all clauses of one of them hold; none at all: it is granted whatever it says."""

# What an app that was started for one patient may look up beside the patient's record: who and where the care is, and what words mean.
DIRECTORY = frozenset(
    ("ActivityDefinition", "CodeSystem", "ConceptMap", "Endpoint", "HealthcareService", "Location", "Measure", "Medication")
    + ("OperationDefinition", "Organization", "PlanDefinition", "Practitioner", "PractitionerRole", "Questionnaire")
    + ("StructureDefinition", "Substance", "ValueSet")
)
_READING = frozenset("rs")
_OWNERS = f"fhir.index.{WHOSE}"
_NOT_DELETED: Clause = (PLAIN, "fhir.deleted", False)


@dataclass(frozen=True, eq=False)
class Grant:
    """What may be done: by these scopes, those of a patient's context within the record of `patient` (an id)."""

    scopes: tuple[Scope, ...]
    patient: str | None = None
    _known: dict[tuple[str, str], Alternatives | None] = field(default_factory=dict, repr=False)

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(scope: str, patient: str | None = None) -> "Grant":
        """That of a token with this scope."""
        return Grant(tuple(scopes(scope)), patient)

    @cached_property
    def whole(self) -> bool:
        """Whether everything may be done."""
        return all(self.conditions(ANY, letter) == () for letter in ALL[1])

    def conditions(self, type: str, letters: str) -> Alternatives | None:
        """What a resource of the type must fulfil so that any of these letters is granted on it; None where none is, whatever it says."""
        key = type, letters
        if key not in self._known:
            self._known[key] = self._conditions(type, frozenset(letters))
        return self._known[key]

    def _conditions(self, type: str, letters: frozenset[str]) -> Alternatives | None:
        fitting = [scope for scope in self.scopes if scope.type in (ANY, type) and scope.actions & letters]
        found = [clauses for scope in fitting if (clauses := self._clauses(scope, type, scope.actions & letters)) is not None]
        return None if not found else tuple(found) if all(found) else ()

    def _clauses(self, scope: Scope, type: str, letters: frozenset[str]) -> tuple[Clause, ...] | None:
        try:
            own = _of_patient(type, self.patient, letters) if scope.context == "patient" else ()
            return None if own is None else (*own, *_asked(type, scope.query))
        except CasebridgeError:
            # A query that this type cannot be asked grants nothing of it.
            return None

    def check(self, method: str, path: str, *, asks: bool = False) -> None:
        """Raise Forbidden for what is not granted, by method and path below /fhir; `asks`: it has a condition, as a search has."""
        name, type = interaction(method, f"/fhir/{path.strip('/')}")
        if name in JUDGED_WITHIN:
            return
        if name in INTERACTIONS:
            letter = INTERACTIONS[name]
            self.demand(type, letter, whole=False)
            if asks and letter in WRITING:
                # What a condition selects or not would tell of resources that may not be searched.
                self.demand(type, "s")
            return
        on, letters = OPERATIONS.get(name, ALL)
        self.demand(type if on == OWN else on, letters, whole=name not in ROW_BY_ROW)

    def demand(self, type: str, letters: str, *, whole: bool = True) -> None:
        """Raise Forbidden unless each of the letters is granted on the type; `whole`: on all its resources."""
        for letter in letters:
            found = self.conditions(type, letter)
            if found is None or (found and whole):
                what = "all resources" if type == ANY else f"{'all ' if found else ''}resources of type {type}"
                raise Forbidden(f"The token's scope does not allow this: it needs .{letter} on {what}.")

    def narrowed(self, query: Query) -> Query:
        """The search of what is granted, in its chains too. Raises Forbidden where a type that it asks by may not be searched."""
        if self.whole:
            return query
        found = self.conditions(query.type, "s")
        if found is None:
            raise Forbidden(f"The token's scope does not allow this: it needs .s on resources of type {query.type}.")
        joins = tuple(map(self._joined, query.joins))
        return replace(query, clauses=(*query.clauses, *_among(found, query.clauses)), joins=joins)

    def _joined(self, join: Join) -> Join:
        match join:
            case Chain():
                allowed = [each for each in join.queries if self.conditions(each.type, "s") is not None]
                return replace(join, queries=tuple(map(self.narrowed, allowed or join.queries)))
            case Has():
                return replace(join, query=self.narrowed(join.query))
            case Listed():
                self.demand("List", "r")
                return join
            case Coded():
                return join

    def shows(self, type: str, id: str, text: str, updated: datetime) -> bool:
        """Whether a version of a resource may be shown to whoever may read, or was let search, its type; its `text` is empty if deleted."""
        found = self.conditions(type, "rs")
        return found is not None and (not found or (bool(text) and self.fits(found, id, parse(text), updated)))

    @staticmethod
    def fits(alternatives: Alternatives, id: str, raw: Raw, updated: datetime) -> bool:
        """Whether a resource fulfils one of the alternatives."""
        judged = candidate(id, raw, updated)
        return not alternatives or any(matches(merged(clauses), judged) for clauses in alternatives)


UNLIMITED = Grant((Scope("system", ANY, frozenset(ALL[1])),))
"""Where nobody is asked who they are."""


def check_queries(text: str) -> None:
    """Raise Invalid for a scope whose query cannot be searched by, or asks for more than parameters of the resource itself."""
    for scope in scopes(text):
        if scope.query and scope.type == ANY:
            raise Invalid("A scope with a query names one type.")
        _asked(scope.type, scope.query)


def _asked(type: str, text: str) -> tuple[Clause, ...]:
    try:
        params = parse_qsl(text, keep_blank_values=True, strict_parsing=True) if text else []
    except ValueError:
        raise Invalid("The query of a scope is written like name=value, with & between several.") from None
    if any(name in CONTROLS or name == "_lastUpdated" for name, _ in params):
        raise Invalid("The query of a scope says what resources are like, not how to list them.")
    query = parse_query(type, params) if params else None
    if query and query.joins:
        raise Invalid("The query of a scope asks of the resource itself: no chains, _has, _list or value sets.")
    return tuple(clause for clause in query.clauses if clause != _NOT_DELETED) if query else ()


def _of_patient(type: str, id: str | None, letters: frozenset[str]) -> tuple[Clause, ...] | None:
    """The clauses for the record of a patient; None for what is in nobody's record."""
    if id is None:
        return None
    if type == "Patient":
        return ((OWNED, "_id", id),)
    own = (_nobody_elses(id),) if letters & WRITING else ()
    if type in compartment("Patient"):
        return (*((OWNED if path == KEY else PLAIN, path, condition) for path, condition in belonging("Patient", id).items()), *own)
    if "patient" in parameters(type):
        return (*_asked(type, f"patient=Patient/{id}"), *own)
    return () if type in DIRECTORY and letters <= _READING else None


def _nobody_elses(id: str) -> Clause:
    """The clause for what is in no other patient's record: R4's compartment has what a patient did in another's too, as a performer."""
    return (PLAIN, _OWNERS, {"$not": {"$regex": rf"^Patient/(?!{re.escape(id)}(\||$))"}})


def _among(alternatives: Alternatives, asked: Iterable[Clause]) -> list[Clause]:
    """The clauses by which a search finds only what fulfils one of the alternatives."""
    owners = {condition for rank, path, condition in asked if (rank, path) == (OWNED, KEY)}
    if len(alternatives) == 1 and all(path != KEY or rank != OWNED or owners <= {condition} for rank, path, condition in alternatives[0]):
        return [*alternatives[0]]
    # A filter holds one key only, and here it needs two.
    return [(PLAIN, "$or", [merged(clauses) for clauses in alternatives])] if alternatives else []
