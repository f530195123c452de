"""Procedures, which are no records of ours: what the rules of a case look at in one."""

from collections.abc import Iterable, Iterator

from adapter.casework.checks import Proposed
from adapter.fhir.resource import Raw
from adapter.store.repository import Repository
from adapter.store.resolving import resolve


def proposed(repository: Repository, reference: str, raw: Raw) -> Proposed | None:
    """What a Procedure says to the rules of the case whose service it is based on or whose encounter it was done in; None where it says
    no practitioner did it, or neither is in a case here. http://hl7.org/fhir/R4/procedure.html
    """
    performers = [*_references(each.get("actor", {}) for each in raw.get("performer", ()))]
    if not any(performer.startswith("Practitioner") for performer in performers):
        return None
    services = [*_references(raw.get("basedOn", ()))]
    cases = [
        case
        for each in (*services, *_references([raw.get("encounter", {})]))
        if (stored := resolve(repository, each)) and (case := stored.record.get("case"))
    ]
    if not cases:
        return None
    codes = [{name: coding[name] for name in ("system", "code") if name in coding} for coding in raw.get("code", {}).get("coding", ())]
    status = str(raw.get("status", "")).replace("-", "_")
    fields = {"case": cases[0], "status": status, "services": services, "codes": codes, "performers": performers}
    return Proposed("procedure", reference, fields, {})


def _references(several: Iterable[Raw]) -> Iterator[str]:
    return (each["reference"] for each in several if "reference" in each)
