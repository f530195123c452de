"""Whether the client agreed that somebody is told (V-16). Pure functions over the fields of consents."""

from collections.abc import Iterable

from adapter.cases.facts import Facts, covers
from adapter.cases.record import Fields

_GENERAL = "sharing"


def permitted(consents: Iterable[Fields], scope: str, actor: str, at: str) -> bool:
    """Whether the client's consents let this actor be told, within `scope`: sharing_payer or sharing_support.

    A consent that names nobody is about everybody in its scope; one that denies counts more than one that permits.
    """
    words = [
        consent.get("decision", "permit")
        for consent in consents
        if consent["status"] == "active"
        and consent["scope"] in (scope, _GENERAL)
        and consent.get("actor", actor) == actor
        and covers(consent.get("period"), at)
    ]
    return bool(words) and "deny" not in words


def scope_of(actor: str, facts: Facts) -> str | None:
    """The scope in which this actor would be told; None for those who treat the client, and for the client."""
    if actor.startswith("RelatedPerson/"):
        return "sharing_support"
    return "sharing_payer" if facts.of("stakeholder").get(actor, {}).get("kind") == "insurer" else None


def refused(facts: Facts, actors: Iterable[str], at: str) -> list[str]:
    """Those of the actors who may not be told."""
    consents = list(facts.of("consent").values())
    return [actor for actor in actors if (scope := scope_of(actor, facts)) and not permitted(consents, scope, actor, at)]
