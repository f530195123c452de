"""The versions of a record, each with who made it and why: read from the versions of its faces and their Provenances."""

from dataclasses import dataclass
from datetime import datetime

from adapter.casework.records import Kept, whole
from adapter.errors import Invalid, NotFound
from adapter.fhir.references import split
from adapter.fhir.resource import Raw
from adapter.mapping.registry import mappings_of
from adapter.store.documents import Stored
from adapter.store.filters import KEY
from adapter.store.repository import Repository


@dataclass(frozen=True)
class Version:
    """A record as it was from `updated` on. `record` is None for a deletion."""

    number: int
    updated: datetime
    record: Kept | None
    by: str | None = None
    """Who made it, as a reference; None where nobody said, as for what an EHR wrote."""
    activity: str | None = None
    """Our code for what was done, such as TR-02 or handover."""
    reason: str | None = None


def history(repository: Repository, concept: str, id: str) -> list[Version]:
    """All versions of a record, newest first. Raises NotFound."""
    faces = [face for mapping in mappings_of(concept) if (face := _versions(repository, mapping.type, id, concept))]
    if not faces:
        raise NotFound(f"There is no {concept} with this id.")
    proofs = _proofs(repository, {stored.reference for face in faces for stored in face})
    found = []
    for moment in sorted({stored.updated for face in faces for stored in face}):
        # Of each face the version that was current then: those of one write have one moment.
        then = [max(past, key=_number) for face in faces if (past := [stored for stored in face if stored.updated <= moment])]
        made = [proof for stored in then if (proof := proofs.get((stored.reference, stored.version))) and stored.updated == moment]
        record = None if all(stored.deleted for stored in then) else whole(concept, id, then)
        found.append(Version(sum(map(_number, then)), moment, record, **(_told(made[0]) if made else {})))
    return found[::-1]


def at(repository: Repository, concept: str, id: str, number: int) -> Kept:
    """A record as it was at this version. Raises NotFound, and Invalid where there is no such version, or it is a deletion."""
    found = next((each.record for each in history(repository, concept, id) if each.number == number), None)
    if found is None:
        raise Invalid("The form does not say which version of the record it was made of; open it again.", expression=["version"])
    return found


def _number(stored: Stored) -> int:
    return stored.version


def _versions(repository: Repository, type: str, id: str, concept: str) -> list[Stored]:
    try:
        found = repository.versions(type, id)
    except NotFound:
        return []
    return found if any(stored.concept == concept for stored in found) else []


def _proofs(repository: Repository, references: set[str]) -> dict[tuple[str, int], Raw]:
    """The Provenance of each version, by reference and number."""
    found: dict[tuple[str, int], Raw] = {}
    for stored in repository.scan("Provenance", {KEY: {"$in": sorted(references)}}):
        for target in stored.raw.get("target", ()) if not stored.deleted else ():
            named = split(str(target.get("reference")))
            if named and named[2] and named[2].isdigit():
                found[f"{named[0]}/{named[1]}", int(named[2])] = stored.raw
    return found


def _told(proof: Raw) -> dict[str, str | None]:
    own = [coding.get("code") for coding in proof.get("activity", {}).get("coding", ()) if coding.get("system", "").endswith("/activity")]
    agents = [agent.get("who", {}).get("reference") for agent in proof.get("agent", ())]
    reasons = [reason.get("text") for reason in proof.get("reason", ())]
    return {"by": next(iter(agents), None), "activity": next(iter(own), None), "reason": next(iter(reasons), None)}
