"""Which records are a person's: found by a number of theirs, whole, or by what says that two are of the same person."""

from adapter.access.whose import PATIENT
from adapter.fhir.references import split
from adapter.fhir.resource import Raw
from adapter.store import query, search
from adapter.store.repository import Repository
from adapter.store.syntax import escape

_MOST = "50"


def identified(repository: Repository, system: str, value: str) -> list[str]:
    """The ids of the patients with this identifier, two at most; `system` may be empty, for any."""
    token = f"{escape(system)}|{escape(value)}" if system else escape(value)
    return _found(repository, ("identifier", token), "2") if value else []


def linked(repository: Repository, id: str) -> list[str]:
    """The ids of the other records of a patient's person: those that `Patient.link` leads to, and 50 at most that lead to it.

    http://hl7.org/fhir/R4/patient.html#links
    """
    stored = repository.find(PATIENT, id)
    own = _links(stored.raw) if stored and not stored.deleted else []
    return sorted({*own, *_found(repository, ("link", f"{PATIENT}/{id}"), _MOST)} - {id})


def _links(raw: Raw) -> list[str]:
    named = (split(str((link.get("other") or {}).get("reference", ""))) for link in raw.get("link", ()))
    return [pair[1] for pair in named if pair and pair[0] == PATIENT]


def _found(repository: Repository, asked: tuple[str, str], most: str) -> list[str]:
    repository.collection(PATIENT)
    parsed = query.parse(PATIENT, [asked, ("_count", most)])
    return [row.id for row in search.run(repository.database, parsed, repository.faces).rows]
