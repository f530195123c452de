"""Who works on what, when: what every use of the casework room is given."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from adapter.clock import Clock, instant
from adapter.config import SYNTHETIC_TAG
from adapter.errors import Invalid, VersionConflict
from adapter.fhir.resource import has_tag
from adapter.store.reads import noted
from adapter.store.repository import Repository

SUPERVISORS = frozenset({"supervisor", "director"})
# Of thirty who want the same caseload at once, each loses to at most all the others.
_TRIES = 40

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Actor:
    """A person who acts: a case manager's reference, such as `Practitioner/dana`, and the role in their record."""

    reference: str
    role: str = "case_manager"
    on_behalf_of: str | None = None
    """For whom they act where not for their own, such as an organisation without FHIR whose answer they tell."""

    @property
    def supervisor(self) -> bool:
        return self.role in SUPERVISORS


@dataclass(frozen=True)
class Desk:
    """A store, who works on it, and the time. What is written here is attributed to the actor."""

    repository: Repository
    actor: Actor
    clock: Clock = field(repr=False)
    synthetic: bool = False
    """Whether what is made new here is tagged as synthetic."""

    def now(self) -> str:
        """This moment, as a FHIR instant in UTC."""
        return instant(self.clock())

    def of(self, reference: str, on_behalf_of: str | None = None) -> "Desk":
        """The desk at which something about this resource is made: tagged as synthetic where that is, and on somebody's behalf."""
        stored = self.repository.find(*reference.split("/"))
        synthetic = self.synthetic or (stored is not None and not stored.deleted and has_tag(stored.raw, SYNTHETIC_TAG))
        return replace(self, synthetic=synthetic, actor=replace(self.actor, on_behalf_of=on_behalf_of))


def actor(repository: Repository, reference: str) -> Actor:
    """The actor of this reference, with the role that the case manager's record says. Raises Invalid where there is no such record."""
    type, _, id = reference.partition("/")
    found = repository.find("PractitionerRole", id) if type == "Practitioner" else None
    person = repository.find("Practitioner", id) if type == "Practitioner" else None
    if person is None or person.deleted:
        raise Invalid("There is no Practitioner of this reference to act as.")
    role = found.record.get("role") if found and not found.deleted and found.concept == "case_manager" else None
    return Actor(reference, role or "case_manager")


def settled(decide: Callable[[], _Made]) -> _Made:
    """What `decide` returns: it reads, decides and writes, and is asked again where another wrote in between what it read.

    Raises VersionConflict where that happens too often.
    """
    for left in range(_TRIES - 1, -1, -1):
        try:
            with noted():
                return decide()
        except VersionConflict:
            if not left:
                raise
    raise AssertionError("unreachable")
