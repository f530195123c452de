"""A QuestionnaireResponse read beside its Questionnaire: the questions by linkId, and the answers in the order they were given.

http://hl7.org/fhir/R4/questionnaireresponse.html
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter.config import BASE
from adapter.fhir.resource import Raw

SDC = "http://hl7.org/fhir/uv/sdc/StructureDefinition"
_UNIT = "http://hl7.org/fhir/StructureDefinition/questionnaire-unit"


@dataclass(frozen=True)
class Question:
    """An item of a Questionnaire, with what it inherits from the items around it."""

    raw: Raw
    observed: bool
    """Whether its answers become Observations."""
    categories: tuple[Raw, ...]

    @property
    def unit(self) -> Raw | None:
        """The Coding of the unit in which a number is given."""
        found: Raw | None = extension(self.raw, _UNIT)
        return found


def extension(node: Raw, url: str) -> Any:
    """The value of the first extension of this url; None where there is none."""
    for item in node.get("extension", ()):
        if item.get("url") == url:
            return next((value for name, value in item.items() if name.startswith("value")), None)
    return None


def questions(questionnaire: Raw) -> dict[str, Question]:
    """The questions by linkId."""
    root = Question(questionnaire, False, ())
    return {
        question.raw["linkId"]: question for question in _inside(questionnaire, _flagged(questionnaire, root)) if "linkId" in question.raw
    }


def _inside(node: Raw, around: Question) -> Iterator[Question]:
    for item in node.get("item", ()):
        question = _flagged(item, around)
        yield question
        yield from _inside(item, question)


def _flagged(node: Raw, around: Question) -> Question:
    observed = extension(node, f"{SDC}/sdc-questionnaire-observationExtract")
    category = extension(node, f"{SDC}/sdc-questionnaire-observation-extract-category")
    return Question(node, around.observed if observed is None else bool(observed), (category,) if category else around.categories)


def items(node: Raw) -> Iterator[Raw]:
    """The items directly below one of a response, those below its answers included."""
    yield from node.get("item", ())
    for answer in node.get("answer", ()):
        yield from answer.get("item", ())


def every(node: Raw) -> Iterator[Raw]:
    """All items of a response, at any depth."""
    for item in items(node):
        yield item
        yield from every(item)


def value(answer: Raw) -> tuple[str, Any] | None:
    """(FHIR type with a capital, value) of an answer; None where it has only parts."""
    return next(((name.removeprefix("value"), held) for name, held in answer.items() if name.startswith("value")), None)


def slot(response: str, type: str, link_id: str, number: int) -> str:
    """The id of what is extracted from the answer of this number to a question."""
    return str(uuid5(NAMESPACE_URL, f"{BASE}/QuestionnaireResponse/{response}#{type}/{link_id}/{number}"))
