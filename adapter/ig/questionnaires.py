"""The questionnaires that our own items belong to, made from the tables that read and write the answers: http://hl7.org/fhir/R4/questionnaire.html

A screening's is its instrument's with the record review, the domains and the disposition around it.
"""

from collections.abc import Iterable, Iterator

from adapter.care.instrument import names
from adapter.care.questionnaire import questionnaire
from adapter.fhir.elements import parse_path
from adapter.fhir.resource import Raw
from adapter.ig.canonical import canonical, url_of
from adapter.mapping.answers import Item
from adapter.mapping.outcome import CASE_CLOSING, OUTCOME
from adapter.mapping.rules import Coded, Group, Rule
from adapter.mapping.screening import SCREENING, within
from adapter.mapping.table import Mapping
from adapter.mapping.transition_plan import TRANSITION_PLAN, TRANSITION_READINESS

# The type of an item by the element that holds its answers.
_TYPES = {
    "valueString": "string",
    "valueBoolean": "boolean",
    "valueInteger": "integer",
    "valueDecimal": "decimal",
    "valueDate": "date",
    "valueDateTime": "dateTime",
    "valueReference": "reference",
    "valueQuantity": "quantity",
    "valueCoding": "choice",
}


def questionnaires() -> list[Raw]:
    """All that responses of ours answer: the instruments, each with what a screening asks beside it, a transition and a case's closing."""
    instruments = [questionnaire(name) for name in names()]
    return [
        *instruments,
        *map(_screening, instruments),
        _own(TRANSITION_READINESS, TRANSITION_PLAN, "What must be ready before the client goes to another setting of care."),
        _own(CASE_CLOSING, OUTCOME, "What is asked when a case is closed: step 7."),
    ]


def _own(url: str, mapping: Mapping, description: str) -> Raw:
    return {
        **canonical("Questionnaire", url.rpartition("/")[2], description),
        "subjectType": ["Patient"],
        "item": [*_items(mapping.rules)],
    }


def _screening(instrument: Raw) -> Raw:
    url = within(instrument["url"])
    return {
        **canonical(
            "Questionnaire",
            url.rpartition("/")[2],
            f"A screening by {instrument['title']}: step 1.",
            title=f"Screening: {instrument['title']}",
        ),
        "version": instrument["version"],
        "derivedFrom": [f"{instrument['url']}|{instrument['version']}"],
        "subjectType": ["Patient"],
        "copyright": instrument["copyright"],
        # What the mapping writes first stands first: https://hl7.org/fhir/R4/questionnaireresponse.html#link
        "item": [*_items(SCREENING.rules), *instrument["item"]],
    }


def _items(rules: Iterable[Rule]) -> Iterator[Raw]:
    for rule in rules:
        if isinstance(rule, Item):
            yield _question(rule)
        elif isinstance(rule, Group) and rule.path.startswith("item["):
            link_id = str(parse_path(rule.path)[0].values[0])
            yield {"linkId": link_id, "text": _words(rule.attr), "type": "group", "item": [*_items(rule.rules)]}


def _question(item: Item) -> Raw:
    element = next(item.rule.rows()).path.partition(".")[0]
    asked: Raw = {"linkId": item.link_id, "text": _words(item.attr), "type": _TYPES[element], "repeats": item.many}
    if isinstance(item.rule, Coded):
        asked["answerValueSet"] = url_of("ValueSet", item.rule.table.name)
    return asked


def _words(attr: str) -> str:
    return attr.replace("_", " ").capitalize()
