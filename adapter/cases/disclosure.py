"""Whether the client agreed that somebody is told (V-16). Pure functions over the fields of consents."""

from collections.abc import Iterable

from adapter.cases.facts import Facts, covers
from adapter.cases.record import Fields

_GENERAL = "sharing"
# Those who neither treat the client nor pay: SDOH Clinical Care asks for a consent before they are told, too.
_SCOPES = {"insurer": "sharing_payer", "community_org": _GENERAL, "social_service_agency": _GENERAL}


def permitted(consents: Iterable[Fields], scope: str, actor: str, at: str) -> bool:
    """Whether the client's consents let this actor be told, within `scope`: sharing_payer, sharing_support or sharing.

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
    return _SCOPES.get(facts.of("stakeholder").get(actor, {}).get("kind", ""))


def refused(facts: Facts, actors: Iterable[str], at: str) -> list[str]:
    """Those of the actors who may not be told: who needs a consent and has none, and who treats the client and is denied by name."""
    consents = list(facts.of("consent").values())
    return [actor for actor in actors if not _may_be_told(actor, scope_of(actor, facts), consents, at)]


def _may_be_told(actor: str, scope: str | None, consents: list[Fields], at: str) -> bool:
    if scope:
        return permitted(consents, scope, actor, at)
    return not any(
        consent["status"] == "active"
        and consent.get("decision") == "deny"
        and consent.get("actor") == actor
        and covers(consent.get("period"), at)
        for consent in consents
    )
