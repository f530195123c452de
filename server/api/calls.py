"""What a request to the case API says beside its path: who acts, against which version, under which id, with what."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import Headers

from adapter.casework.desk import Actor, Desk, actor
from adapter.errors import Invalid, Unauthenticated
from adapter.fhir.bundle import version
from adapter.store.repository import Repository
from server.errors import PreconditionRequired

ACTOR, REQUEST = "Casebridge-Actor", "Idempotency-Key"
NEW = 0
"""The version of what is not there yet."""
_REQUEST_AT_MOST = 64


@dataclass(frozen=True)
class Call:
    """A request."""

    repository: Repository
    """The store as the caller sees it."""
    headers: Headers
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def desk(self) -> Desk:
        """The desk of who acts. Raises Unauthenticated where nobody says so, Invalid where it is nobody known."""
        reference = self.headers.get(ACTOR)
        if reference is None:
            raise Unauthenticated(f"Who writes says who they are: {ACTOR}: Practitioner/<id>.")
        return Desk(self.repository, actor(self.repository, reference), self.repository.clock)

    def desk_of(self, id: str) -> Desk:
        """The desk of a case manager who registers as `id`, so that the first one can, or of who acts. Raises as `desk` does."""
        own = self.headers.get(ACTOR) == f"Practitioner/{id}" and self.repository.find("Practitioner", id) is None
        return Desk(self.repository, Actor(f"Practitioner/{id}"), self.repository.clock) if own else self.desk

    @property
    def onlooker(self) -> Desk:
        """The desk of who acts, or of nobody, who can only look."""
        return self.desk if ACTOR in self.headers else Desk(self.repository, Actor(""), self.repository.clock)

    @property
    def request_id(self) -> str | None:
        """The caller's id for this request: the same again changes nothing. Raises Invalid for one that is no id."""
        given = self.headers.get(REQUEST)
        if given is not None and not (0 < len(given) <= _REQUEST_AT_MOST and given.isascii() and given.isprintable()):
            raise Invalid(f"{REQUEST} is up to {_REQUEST_AT_MOST} plain characters, such as a UUID.")
        return given

    @property
    def expected(self) -> int:
        """The version that a change is made against; NEW for one that must be the first.

        Raises PreconditionRequired where none is named, because two who change the same thing would not see each other.
        """
        told, unless = self.headers.get("If-Match"), self.headers.get("If-None-Match")
        if told is None and unless is not None and unless.strip() == "*":
            return NEW
        found = version(told) if told else None
        if found is None or not (found.isascii() and found.isdigit() and len(found) < 10):
            raise PreconditionRequired('A change names the version it was made against, as it was read: If-Match: W/"3".')
        # No record is at a version below 1, so what names one is as stale as can be.
        return int(found) or -1

    def has(self, number: int) -> bool:
        """Whether the caller has this version already."""
        known = self.headers.get("If-None-Match", "")
        return known.strip() == "*" or str(number) in map(version, known.split(","))
