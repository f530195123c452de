"""Whose packet it is: one member whose record is seen. Of nobody else anything is told, not even why."""

from typing import NoReturn

from adapter.errors import Gone, NotApplicable, NotFound
from adapter.fhir.resource import Raw
from adapter.store.repository import Repository
from adapter.sync.people.member import member


def of_identity(repository: Repository, patient: Raw, coverage: Raw) -> str:
    """The id of the member who is this person, as `Patient/$member-match` finds them. Raises NotApplicable for nobody."""
    try:
        return member(repository, patient, coverage)
    except NotApplicable:
        nobody()


def of_reference(repository: Repository, id: str) -> str:
    """The id, where that is a patient whose record is seen. Raises NotApplicable for nobody."""
    try:
        return repository.row("Patient", id).id
    except (NotFound, Gone):
        nobody()


def nobody() -> NoReturn:
    """Raise the one answer for everybody of whom there is no packet: not here, not covered, not agreed, more than one."""
    raise NotApplicable("This names no single member whose record may be seen.") from None
