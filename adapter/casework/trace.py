"""Why something is in a case, and whether it helped: the chain answer → score → risk → need → goal → service → contact → outcome.

Each link says who made its record when, and at which version, as the Provenances tell; what an EHR wrote has no such name.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from adapter.cases.facts import Facts
from adapter.cases.headline import happened, headline, status
from adapter.cases.record import Fields
from adapter.casework.facts import records_of
from adapter.casework.past import history
from adapter.casework.records import read
from adapter.errors import Invalid
from adapter.store.repository import Repository

# By concept: the fields that say what a record rests on, and how that is read aloud.
_RESTS_ON: Mapping[str, tuple[tuple[str, str], ...]] = {
    "plan": (("goals", "aims at"), ("services", "consists of"), ("problems", "is about")),
    "planned_service": (("goals", "serves"), ("reasons", "is because of")),
    "goal": (("addresses", "addresses"),),
    "condition": (("evidence", "is shown by"),),
    "risk_evaluation": (("factors.evidence", "rests on"), ("basis", "rests on")),
    "measurement": (("derived_from", "is computed from"),),
    "strength": (("evidence", "is shown by"),),
    "assessment": (("investigations", "rests on"), ("problems", "finds"), ("strengths", "finds"), ("meetings", "was made at")),
}
# The other way: what came of a record, by the concept that names it.
_CAME_OF: tuple[tuple[str, str, str], ...] = (
    ("appointment", "services", "was scheduled as"),
    ("task", "focus", "was referred by"),
    ("authorisation", "service", "was authorised by"),
    ("planned_service", "goals", "is served by"),
    ("follow_up", "goal_reviews.goal", "was reviewed at"),
    ("follow_up", "appointments_reviewed", "was reviewed at"),
)
# In all of a case: what says whether it helped.
_AT_THE_END = ("outcome",)


@dataclass(frozen=True)
class Link:
    """One step of the chain: `source` `relation` `target`, and what is known of the target."""

    source: str
    relation: str
    target: str
    concept: str
    what: str
    """The target in a line."""
    state: str
    when: str
    """When it happened, a date or dateTime as written; empty where the record does not say."""
    version: int
    by: str | None
    """Who made this version, as a reference; None where nobody said."""
    made: datetime | None


@dataclass(frozen=True)
class Trace:
    """`why` leads back to the evidence, `helped` forward to the outcome; both nearest first."""

    of: str
    what: str
    why: list[Link]
    helped: list[Link]


def trace(repository: Repository, case: str, element: str) -> Trace:
    """The chain of one record of the case with this id, such as `ServiceRequest/pt`.

    Raises NotFound, Gone; Invalid where the case has no such record.
    """
    kept = read(repository, "case", case)
    facts = Facts(records_of(repository, kept.reference, kept.fields))
    known = {reference: (concept, fields) for concept, records in facts.records.items() for reference, fields in records.items()}
    if element not in known:
        raise Invalid("The case has no such element.", expression=["element"])
    told = _Told(repository, known)
    return Trace(element, headline(*known[element]), list(_back(told, element)), list(_forward(told, facts, element)))


def _back(told: "_Told", element: str) -> Iterator[Link]:
    """From the element to what it rests on, breadth first, each record once; a need leads on to the risk evaluation that weighed it."""
    seen, queue = {element}, [element]
    weighed: dict[str, list[str]] = {}
    for reference, (concept, fields) in told.known.items():
        if concept == "risk_evaluation":
            for evidence in {*_values(fields, "factors.evidence"), *_values(fields, "basis")}:
                weighed.setdefault(evidence, []).append(reference)
    while queue:
        source = queue.pop(0)
        concept, fields = told.known[source]
        on = [*_named(concept, fields), *(("was weighed in", target) for target in weighed.get(source, ()))]
        for relation, target in on:
            if target in seen or target not in told.known:
                continue
            seen.add(target)
            queue.append(target)
            yield told.link(source, relation, target)
        yield from told.answers(source)


def _named(concept: str, fields: Fields) -> Iterator[tuple[str, str]]:
    for path, relation in _RESTS_ON.get(concept, ()):
        for target in _values(fields, path):
            yield relation, target


def _forward(told: "_Told", facts: Facts, element: str) -> Iterator[Link]:
    """From the element, and from the goals that it serves, to what came of them, and to the outcome of the case."""
    concept, fields = told.known[element]
    roots = [element, *(target for _, target in _named(concept, fields) if target in told.known and told.known[target][0] == "goal")]
    seen = {element}
    while roots:
        source = roots.pop(0)
        for other, path, relation in _CAME_OF:
            if other == "planned_service" and concept == "planned_service":
                continue
            for reference, record in facts.of(other).items():
                if source in _values(record, path) and reference not in seen:
                    seen.add(reference)
                    yield told.link(source, relation, reference)
                    roots += [reference] if other in ("appointment", "planned_service") else []
    for other in _AT_THE_END:
        for reference in facts.of(other):
            yield told.link(element, "ended in", reference)


def _values(fields: Fields, path: str) -> list[str]:
    """The references at a path, through lists."""
    found: list[object] = [fields]
    for step in path.split("."):
        found = [value for each in found if isinstance(each, dict) and step in each for value in _listed(each[step])]
    return [value for value in found if isinstance(value, str)]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


class _Told:
    """Says who made each record, asked once."""

    def __init__(self, repository: Repository, known: Mapping[str, tuple[str, Fields]]) -> None:
        self._repository, self.known = repository, known

    def link(self, source: str, relation: str, target: str) -> Link:
        concept, fields = self.known[target]
        newest = history(self._repository, concept, target.partition("/")[2])[0]
        state = status(fields)
        if concept == "goal" and "achievement" in fields:
            state = str(fields["achievement"]).replace("_", " ")
        return Link(
            source, relation, target, concept, headline(concept, fields), state, happened(fields), newest.number, newest.by, newest.updated
        )

    def answers(self, source: str) -> Iterator[Link]:
        """The scores of an instrument, and the answers that they were made from."""
        concept, fields = self.known[source]
        if concept not in ("response", "screening"):
            return
        made = history(self._repository, concept, source.partition("/")[2])[0]
        for score in fields.get("scores", ()):
            text = f"{score['name']}: {score.get('value', '—')} {score.get('band', '')}".strip()
            yield Link(source, "scored", source, "score", text, "", happened(fields), made.number, made.by, made.updated)
        for answer in fields.get("answers", ()):
            text = f"{answer.get('text') or answer['link_id']}: {'; '.join(map(_said, answer['values']))}"
            yield Link(source, "was answered", source, "answer", text, "", happened(fields), made.number, made.by, made.updated)


def _said(value: Fields) -> str:
    [(kind, found)] = value.items()
    if kind == "code":
        return str(found.get("display") or found.get("text") or found.get("code"))
    return str(found.get("value")) if kind == "quantity" else str(found)
