"""Where this server and HAPI answer a search differently, with the specification's words for what is done here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Disagreement:
    """One kind of question. `words` are R4's, at `link`."""

    subject: str
    here: str
    there: str
    words: str
    link: str


_PREFIX = "http://hl7.org/fhir/R4/search.html#prefix"
DISAGREEMENTS = (
    Disagreement(
        "`date=ge2024` of a date within 2024",
        "found",
        "found only from the last day of 2024 on",
        'ge: "… or the range of the search value fully contains the range of the target value"',
        _PREFIX,
    ),
    Disagreement(
        "`date=le2024-09-17` of a period that begins on that day and ends later; the same with a second",
        "not found",
        "found",
        'le: "the range below the search value intersects (i.e. overlaps) with the range of the target value, or the range of the search '
        'value fully contains the range of the target value"; the period does neither',
        _PREFIX,
    ),
    Disagreement(
        "a modifier that the parameter does not have, such as `birthdate:exact`",
        "400",
        "200, as if it were not there",
        'a server "SHALL reject any search request" that has a modifier it does not support for the parameter',
        "http://hl7.org/fhir/R4/search.html#modifiers",
    ),
    Disagreement(
        "`_elements` without an element that must be there, such as `status`",
        "the element comes along",
        "only what was named",
        '"Servers SHOULD always return mandatory elements whether they are requested or not"',
        "http://hl7.org/fhir/R4/search.html#elements",
    ),
    Disagreement(
        "`category=|environment` of an element of type code, which names no system",
        "found",
        "not found: HAPI gives it the system of its binding",
        "`|code` asks for the code where the element has no system property",
        "http://hl7.org/fhir/R4/search.html#token",
    ),
    Disagreement(
        "`_profile:missing`, `_tag:missing`",
        "what has none",
        "everything, for true as for false",
        "true asks for the resources that have no value for the parameter",
        "http://hl7.org/fhir/R4/search.html#modifiers",
    ),
    Disagreement(
        "`:contains`",
        "served",
        "405 unless it was switched on",
        "contains finds the text anywhere in the field",
        "http://hl7.org/fhir/R4/search.html#string",
    ),
    Disagreement(
        "a compartment by path, such as `Patient/1/Condition`",
        "served",
        "400 unless its provider was added",
        '"GET [base]/Patient/[id]/[type]"',
        "http://hl7.org/fhir/R4/http.html#vsearch",
    ),
)
