"""Answers that `$populate` proposes for Charlson, LACE and HOSPITAL from what was imported, with the resources they were concluded from."""

from datetime import date

from adapter.care.proposal import PROPOSED, Proposal, proposal
from adapter.care.questionnaire import canonical
from adapter.casework.proposals import known
from adapter.clock import instant
from adapter.errors import NotFound
from adapter.fhir.resource import Raw
from adapter.store.repository import Repository

_NOTE = "Proposed from what was imported; a person has to confirm it."
_VALUES = {"boolean": "valueBoolean", "integer": "valueInteger", "decimal": "valueDecimal"}


def answers(repository: Repository, questionnaire: Raw, patient: str, stay: str | None) -> Proposal | None:
    """What is proposed for this questionnaire; None where it is none of the three, or the client has no stay to speak of.

    Raises NotFound and Invalid for a `stay` that is not the client's, or none.
    """
    name = next((name for name in PROPOSED if canonical(name) == questionnaire.get("url")), None)
    if name is None:
        return None
    today = instant(repository.clock())[:10]
    try:
        return proposal(name, known(repository, patient), date.fromisoformat(today), stay)
    except NotFound:
        if stay is not None:
            raise
        return None


def written(found: Proposal, item: Raw) -> list[Raw]:
    """The answers that are proposed for an item, as it takes them; none where it stays open."""
    given = found.answers.get(str(item.get("linkId")), ())
    if item.get("type") != "choice":
        return [{_VALUES[item["type"]]: value} for value in given]
    options = {option["valueCoding"]["code"]: option["valueCoding"] for option in item.get("answerOption", ())}
    return [{"valueCoding": options[str(code)]} for code in given]


def issues(found: Proposal) -> list[Raw]:
    """For each item that is proposed, that it is, and the references of what it was concluded from."""
    return [
        {
            "severity": "information",
            "code": "informational",
            "details": {"text": ", ".join(item.evidence) or "nothing of the kind is recorded"},
            "diagnostics": _NOTE,
            "expression": [f"QuestionnaireResponse.item.where(linkId = '{item.link_id}')"],
        }
        for item in found.items
    ]
