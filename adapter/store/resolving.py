"""What the text of a reference leads to in the store."""

from adapter.fhir.references import split
from adapter.store.documents import Stored
from adapter.store.repository import Repository
from adapter.store.search_parameters import table


def resolve(repository: Repository, reference: str | None) -> Stored | None:
    """The current version of what a relative reference names, deleted or not; None for any other text, which may be what somebody wrote.

    `Anxiety/Depression` has the form of a reference: to look for it would make a collection of that name.
    """
    named = split(reference) if reference else None
    return repository.find(named[0], named[1]) if named and named[0] in table() else None
