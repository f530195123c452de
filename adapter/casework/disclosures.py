"""The accounting of disclosures as people ask for it: who may, of whom it is, and a part of it at a time. docs/audit.md"""

from adapter.access.whose import PATIENT
from adapter.audit.disclosures import Disclosure, disclosures
from adapter.errors import Conflict, Forbidden, NotFound
from adapter.store import accounting
from adapter.store.identified import identified, linked
from adapter.store.repository import Repository
from adapter.store.sight import Sight


def demand(sight: Sight | None) -> None:
    """Raise Forbidden for who does not read the account of accesses."""
    if sight and not sight.policy.audits:
        raise Forbidden("Disclosures are told to who sees AuditEvents: an auditor.")


def of_number(repository: Repository, value: str) -> str:
    """The id of the patient with this identifier, whole. Raises Forbidden, NotFound, Conflict where several have it."""
    demand(repository.sight)
    found = identified(repository.whole, "", value)
    if len(found) > 1:
        raise Conflict("Several patients have this number: name one by the id of their record.")
    if not found:
        raise NotFound("No patient has this number. It must be whole.")
    return found[0]


def of_id(repository: Repository, id: str) -> str:
    """The patient, `Patient/x`, of this id, who may be deleted by now. Raises Forbidden, NotFound."""
    demand(repository.sight)
    if repository.whole.find(PATIENT, id) is None:
        raise NotFound("There is no patient of this id, and there never was.")
    return f"{PATIENT}/{id}"


def others(repository: Repository, id: str) -> list[str]:
    """The ids of the other records of this patient's person, each of which has an accounting of its own. Raises Forbidden."""
    demand(repository.sight)
    return linked(repository.whole, id)


def told(repository: Repository, patient: str, low: str | None, high: str | None) -> list[Disclosure]:
    """All that was told of a patient in a period, in order of time. Raises Invalid for a time that is none."""
    return [*disclosures(accounting.about(repository, patient, low, high))]


def some(
    repository: Repository, patient: str, low: str | None, high: str | None, cursor: str, size: int
) -> tuple[list[Disclosure], str | None]:
    """So many of these from a cursor on, and the cursor of the rest, None where that is all. Raises Invalid for a time or a cursor that is
    none."""
    events, rest = accounting.page(repository, patient, low, high, cursor, size)
    return [*disclosures(events)], rest
