"""What a member's plans lead to, as a repository shows it: read reference by reference, and never into another person's record."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from adapter.access.whose import PATIENT, owners
from adapter.errors import TooLarge
from adapter.fhir.resource import parse
from adapter.store.compartments import members, references
from adapter.store.filters import KEY, one_of
from adapter.store.repository import Repository
from adapter.store.rows import FACE, Row
from adapter.store.sight import targets

MOST = 10_000
"""Resources of one packet, and of each type of the record that it is made from."""
PROVENANCE = "Provenance"
WORK = ("ClinicalImpression", "Communication", "Encounter", "Observation", "Procedure", "QuestionnaireResponse", "RiskAssessment", "Task")
"""What is done about a plan refers to it, or to what it names; it does not name them."""
_AT_ONCE = 100
Tell = Callable[[int], None]
"""Told, now and then, how many resources were read."""


class Reach:
    """What was reached for one patient. `rows` are by reference, in the order in which they were reached."""

    def __init__(self, repository: Repository, patient: str, tell: Tell) -> None:
        self._repository, self._tell = repository, tell
        self._present = frozenset(repository.types())
        self._id, self.patient = patient, f"{PATIENT}/{patient}"
        self.rows: dict[str, Row] = {}
        self.asked: set[str] = set()
        """All that was looked for, whether it is there or not."""
        self.there: set[str] = set()
        """Of that, what is there."""
        self.others: set[str] = set()
        """Of what is there, what is in another person's record."""

    def follow(self, roots: Iterable[Row], *, record: bool = True) -> None:
        """Take these and all that they lead to; without `record`, only what is in nobody's. Raises TooLarge."""
        queue = [*roots]
        taken = {named(row) for row in queue}
        self.asked |= taken
        self.there |= taken
        while queue:
            self.rows |= {named(row): row for row in queue}
            self._tell(len(self.rows))
            if len(self.rows) > MOST:
                raise TooLarge(f"A packet has at most {MOST} resources; ask for a shorter period.")
            queue = [row for row in self._next(queue) if self._takes(row, record)]

    def _next(self, rows: Iterable[Row]) -> Iterator[Row]:
        wanted: dict[str, set[str]] = defaultdict(set)
        for reference in set[str]().union(*map(_led, rows)) - self.asked:
            type, _, id = reference.partition("/")
            if type in self._present:
                self.asked.add(reference)
                wanted[type].add(id)
        for type, ids in sorted(wanted.items()):
            yield from self._repository.rows(type, ids)

    def _takes(self, row: Row, record: bool) -> bool:
        whose = record_of(row)
        self.there.add(named(row))
        if not whose <= {self.patient}:
            self.others.add(named(row))
            return False
        return record or not whose

    def own(self, type: str) -> list[Row]:
        """The resources of a type that are in the patient's record and in nobody else's, by id. Raises TooLarge."""
        found = members(self._repository.database, PATIENT, self._id, type, limit=MOST + 1) if type in self._present else []
        if len(found) > MOST:
            raise TooLarge(f"A packet is made from a record with at most {MOST} resources of a type; `Patient/$export` has larger ones.")
        return [row for row in found if record_of(row) == {self.patient}]

    def work(self, plans: Iterable[Row]) -> list[Row]:
        """What was done about these plans: what refers to them, or to what of the patient's record they name themselves (the case, goals,
        problems, requests), by type and id. One step back and no more: two would be most of the record."""
        held = {named(row) for row in self.rows.values() if row.type != PATIENT and record_of(row)}
        plans = [*plans]
        about = {named(row) for row in plans}.union(*map(_led, plans))
        near = about & held
        return [row for type in WORK for row in self.own(type) if not near.isdisjoint(_led(row))]

    def provenances(self) -> list[Row]:
        """The Provenances of what was reached of the patient's record, by id: those of which each target is the patient's."""
        recorded = {reference for reference, row in self.rows.items() if record_of(row)}
        return [row for row in self._telling_of(recorded) if all(map(self._is_own, _told(row)))]

    def _telling_of(self, recorded: Collection[str]) -> list[Row]:
        if PROVENANCE not in self._present:
            return []
        collection = self._repository.database[PROVENANCE]
        pieces = _pieces(sorted(recorded))
        found = [row for piece in pieces for row in map(Row.of, collection.find({KEY: one_of(piece)}, FACE))]
        rows = {row.id: row for row in found if row.text and not _told(row).isdisjoint(recorded)}
        return [rows[id] for id in sorted(rows)]

    def _is_own(self, reference: str) -> bool:
        if reference in self.rows:
            return True
        type, _, id = reference.partition("/")
        found = self._repository.rows(type, [id]) if type in self._present else []
        return any(record_of(row) == {self.patient} for row in found)


def named(row: Row) -> str:
    """Type/id."""
    return f"{row.type}/{row.id}"


def record_of(row: Row) -> frozenset[str]:
    """The patients in whose record a resource is; none for what is nobody's."""
    return frozenset(owners(parse(row.text)))


def _pieces(references: Sequence[str]) -> list[Sequence[str]]:
    return [references[start : start + _AT_ONCE] for start in range(0, len(references), _AT_ONCE)]


def _led(row: Row) -> set[str]:
    """What a resource refers to, in its extensions too, which no index has."""
    return {f"{type}/{id}" for type, id in references(row.text)}


def _told(row: Row) -> set[str]:
    return {*targets(parse(row.text).get("target"))}
