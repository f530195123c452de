"""The findings of a screening that wait for a person, and their word on each (C-19)."""

from functools import partial

from adapter.casework.desk import Desk, settled
from adapter.casework.records import Kept, put, read
from adapter.errors import NotFound, RuleViolated
from adapter.mapping.findings import Finding, confirmed, findings, refuted
from adapter.store.repository import Repository


def waiting(repository: Repository, screening: str) -> list[Finding]:
    """The findings of the screening of this id on which nobody has spoken yet. Raises NotFound, Gone; Invalid for answers out of range."""
    return [each for each in _all(repository, screening) if repository.find("Condition", each.id) is None]


def _all(repository: Repository, screening: str) -> list[Finding]:
    kept = read(repository, "screening", screening)
    return findings(kept.id, kept.reference.partition("/")[0], kept.fields)


def decide(desk: Desk, screening: str, finding: str, *, holds: bool, reason: str | None = None) -> Kept:
    """The condition that the actor's word makes of a finding: confirmed where it holds, else refuted and not proposed again.

    It is kept with a Provenance that names the actor. Raises NotFound, Gone, and RuleViolated where somebody has spoken on it already.
    """
    return settled(partial(_decide, desk, screening, finding, holds, reason))


def _decide(desk: Desk, screening: str, finding: str, holds: bool, reason: str | None) -> Kept:
    found = next((each for each in _all(desk.repository, screening) if each.id == finding), None)
    if found is None:
        raise NotFound("The screening has no finding of this id.")
    if desk.repository.find("Condition", finding) is not None:
        raise RuleViolated("Somebody has spoken on this finding already: change the condition.", code="not_proposed")
    word = confirmed if holds else refuted
    activity = "confirm-finding" if holds else "refute-finding"
    return put(desk, "condition", finding, word(found.fields, desk.actor.reference), expect=0, activity=activity, reason=reason)
