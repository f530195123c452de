"""Whose resources are that do not say it, or are not there any more: asked of the store."""

from collections.abc import Iterable

from adapter.access.whose import PATIENT, owners, read
from adapter.store.by_id import by_id
from adapter.store.documents import Change
from adapter.store.index import WHOSE
from adapter.store.repository import Repository
from adapter.store.search_parameters import table
from adapter.store.seen import seen_by
from adapter.store.sight import Sight
from server.audit.access import Access
from server.audit.focus import records, resource
from server.audit.told import Said

_CASE = "EpisodeOfCare"
_FHIR = "/fhir"
_OWNERS = f"fhir.index.{WHOSE}"


def changed(repository: Repository, changes: Iterable[Change]) -> set[str]:
    """The patients in whose records changes are, and those who are changed; of what was there before, whose it was, too."""
    several = [*changes]
    found = {owner for change in several if change.raw for owner in owners({**change.raw, "id": change.id})}
    return found | of(repository, (f"{change.type}/{change.id}" for change in several if change.expect))


def of(repository: Repository, references: Iterable[str]) -> set[str]:
    """Whose the resources of these references (`Type/id`) are, as the store has them; of what is deleted, whose it was."""
    ids = _by_type(references)
    patients = {f"{PATIENT}/{id}" for id in ids.pop(PATIENT, ())}
    return patients.union(*(_of_type(repository, type, several) for type, several in ids.items()))


def _of_type(repository: Repository, type: str, ids: Iterable[str]) -> set[str]:
    documents = by_id(repository.database[type], ids, {_OWNERS: 1})
    return {owner for each in documents for owner in read(each.get("fhir", {}).get("index", {}).get(WHOSE, ()))}


def unsaid(repository: Repository, access: Access, path: str, told: Said) -> set[str]:
    """The patients of what a path is about and of what an answer tells, as far as the answer may leave out whose it is."""
    found, about = resource(path), records(path)
    # A whole resource says whose it is; what the pages of one record lead to is of the same patient.
    parts = told.resources if told.part else ()
    if path.startswith(_FHIR):
        whole = told.count is not None and not told.part
        about = [f"{found[1]}/{found[2]}"] if found and not (whole and found.end() == len(found.string)) else []
    else:
        parts = (*told.resources, *(f"{_CASE}/{id}" for id in told.cases), *(() if about else told.linked))
    past = repository.vread(found[1], found[2], int(found[3].rpartition("/")[2])).raw if told.part and found and found[3] else {}
    return of(repository, {*about, *parts, *told.bare} - access.written).union(owners(past))


def there(repository: Repository, references: Iterable[str]) -> set[str]:
    """What of these references (`Type/id`) is in the store, whoever may see it."""
    return {
        f"{type}/{each['_id']}"
        for type, ids in _by_type(references).items()
        for each in by_id(repository.database[type], ids, {"fhir.deleted": 1})
        if not each["fhir"]["deleted"]
    }


def withheld(repository: Repository, sight: Sight, references: Iterable[str]) -> set[str]:
    """What of these references is in the store, and not seen by who has this sight."""
    asked = [*references]
    return there(repository, asked) - there(seen_by(repository, sight), asked)


def _by_type(references: Iterable[str]) -> dict[str, set[str]]:
    """The ids of what is of a type of resources, by that type."""
    found: dict[str, set[str]] = {}
    for reference in references:
        type, _, id = reference.partition("/")
        if type in table():
            found.setdefault(type, set()).add(id)
    return found
