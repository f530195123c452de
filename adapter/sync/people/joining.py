"""What becomes of the content of two resources that are found to be one, and of what was found too soon. Pure."""

from adapter.fhir.resource import Raw
from adapter.mapping.merge import Base, merge
from adapter.store.documents import Stored

NEVER = Base({}, {})
"""What was agreed about somebody of whom nothing was agreed yet: what either side says is news, what both say differently a conflict."""
# Patient.link.type: http://hl7.org/fhir/R4/valueset-link-type.html
REPLACED_BY, REPLACES, SEE_ALSO = "replaced-by", "replaces", "seealso"
_OWN = ("active", "link")


def decided(base: Base, ours: Raw, theirs: Raw, winner: str) -> Raw:
    """The changes of both sides since `base`; the winner's where both changed the same element."""
    merged = merge(base, ours, theirs)
    if merged.conflicts:
        merged = merge(base, ours, theirs, decisions={change.path: winner for change in merged.conflicts})
    return merged.raw


def filled(raw: Raw, other: Raw) -> Raw:
    """The resource with what only the other says; whether it is in use, and what it is linked to, is its own."""
    return decided(NEVER, raw, {name: value for name, value in other.items() if name not in _OWN}, "ours")


def undone(now: Raw, made: Raw, before: Raw) -> Raw:
    """The resource without what one version changed; what was edited since stays."""
    return decided(Base(made, made), now, before, "ours")


def carried(now: Raw, before: Raw, made: Raw) -> Raw:
    """The resource with what one version of another changed."""
    return decided(Base(before, before), now, made, "theirs")


def gave_way(raw: Raw, to: Stored) -> Raw:
    """The resource as one that is no longer in use, and of a patient, by whom it is replaced."""
    told = raw if raw.get("active") is False else {**raw, "active": False}
    if raw["resourceType"] != "Patient" or to.reference in links_of(raw, REPLACED_BY):
        return told
    return {**told, "link": [*raw.get("link", ()), {"other": {"reference": to.reference}, "type": REPLACED_BY}]}


def links_of(raw: Raw, type: str) -> list[str]:
    """The references of a patient's links of one type."""
    links = raw.get("link") if raw.get("resourceType") == "Patient" else None
    found = [link for link in links if isinstance(link, dict) and link.get("type") == type] if isinstance(links, list) else []
    return [
        other["reference"] for link in found if isinstance(other := link.get("other"), dict) and isinstance(other.get("reference"), str)
    ]


def merged_there(survivor: Stored, loser: Stored) -> bool:
    """Whether the two themselves say that the one was merged into the other."""
    return survivor.reference in links_of(loser.raw, REPLACED_BY) or loser.reference in links_of(survivor.raw, REPLACES)
