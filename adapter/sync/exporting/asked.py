"""What an export is to hold, as it was asked for. http://hl7.org/fhir/uv/bulkdata/STU2/export.html#query-parameters"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from adapter.clock import Clock, utc_now
from adapter.errors import Invalid
from adapter.fhir import shapes
from adapter.fhir.dates import BEGIN, END
from adapter.fhir.shapes import Shape
from adapter.store import search
from adapter.store.cost import Costs
from adapter.store.documents import Document
from adapter.store.query import Query
from adapter.store.search_parameters import parameters

SYSTEM, PATIENTS = "", "Patient"
"""Levels of an export, beside that of a Group, which is `Group/<id>`."""
PROVENANCE = "Provenance"


@dataclass(frozen=True)
class Asked:
    """An export as it was asked for. What is empty narrows nothing."""

    level: str
    request: str
    """The address that was asked, whole, as the manifest repeats it."""
    types: tuple[str, ...] = ()
    since: datetime = BEGIN
    until: datetime = END
    """What is taken was last changed at `since` or later, and before this."""
    recent: datetime = BEGIN
    """Nor is anything taken that was last changed before this; but unlike by `since`, nobody asks for what was deleted by it."""
    filters: tuple[str, ...] = ()
    """Searches, such as `Observation?status=final`: of their types what one of them finds."""
    elements: str = ""
    """What `_elements` is to leave of each resource."""
    patients: tuple[str, ...] = ()
    """Ids; of others nothing is taken, nor of those of them who are not in the Group."""
    provenance: bool = False
    """Whether the Provenances of what is taken come along, where `types` does not name them."""
    notes: tuple[str, ...] = ()
    """What was asked for and is not done, to be told in an error file."""

    @property
    def group(self) -> str | None:
        """The id of the Group whose members are asked for."""
        return self.level.removeprefix("Group/") if self.level.startswith("Group/") else None

    @property
    def earliest(self) -> datetime:
        """What is taken was last changed then or later."""
        return max(self.since, self.recent)

    def document(self) -> Document:
        """As the store remembers it."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self)}

    @staticmethod
    def of(document: Document) -> "Asked":
        values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in document.items()}
        return Asked(**values)

    def check(self, costs: Costs, clock: Clock = utc_now) -> None:
        """Raise Invalid or NotFound for a type that is none and for a search that cannot be asked, TooCostly for what the searches join.

        Of their types all is read anyway.
        """
        for type in (*self.types, *self.filtered):
            parameters(type)
        costs.check_joined(_query(text, clock) for text in self.filters)
        if stray := [type for type in self.filtered if self.types and type not in self.types]:
            raise Invalid(f"There is a _typeFilter for {stray[0]}, which _type does not name.", expression=["_typeFilter"])

    @property
    def filtered(self) -> Iterable[str]:
        """The types of which not all is wanted."""
        return dict.fromkeys(text.partition("?")[0] for text in self.filters)

    def queries(self, type: str) -> list[Query]:
        """The searches of which one must find a resource of this type. Raises Invalid."""
        wanted = [text for text in self.filters if text.partition("?")[0] == type]
        return [_query(text, utc_now) for text in wanted or [type]]

    def shape(self) -> Shape | None:
        """What is done to each resource; None where it stays whole."""
        return shapes.shape([("_elements", self.elements)]) if self.elements else None


def _plain(value: Any) -> Any:
    return [*value] if isinstance(value, tuple) else value


def _query(text: str, clock: Clock) -> Query:
    type, _, rest = text.partition("?")
    # It is a part of a form's value, in which a plus sign was escaped already.
    pairs = parse_qsl(rest.replace("+", "%2B"), keep_blank_values=True)
    if shaping := [name for name, _ in pairs if name in search.CONTROLS]:
        raise Invalid(f"A _typeFilter finds, and does not take {shaping[0]}.", expression=["_typeFilter"])
    return search.parse(type, pairs, clock=clock)
