"""Where this server and HAPI answer a search differently, with the specification's words for what is done here.

The words were compared with the text of http://hl7.org/fhir/R4/search.html (v4.0.1) on 2026-11-22.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

SPECIFICATION = "http://hl7.org/fhir/R4/search.html"


class Effect(Enum):
    """What the difference is, seen from here."""

    MORE = "finds more"
    FEWER = "finds fewer"
    REFUSED = "refuses"
    ANSWERED = "answers what HAPI refuses"
    FULLER = "answers more elements"


@dataclass(frozen=True)
class Disagreement:
    """One kind of question. `words` are R4's, under `section` of SPECIFICATION.

    `asked` is a regular expression for the path or, as `name=value`, the parameter of a question that it is about.
    """

    subject: str
    here: str
    there: str
    words: str
    section: str
    asked: str
    effect: Effect

    @property
    def link(self) -> str:
        return f"{SPECIFICATION}#{self.section}"


_OVERLAP = "intersects (i.e. overlaps) with the range of the target value"
_CONTAINED = "the range of the search value fully contains the range of the target value"
DISAGREEMENTS = (
    Disagreement(
        "`date=ge2024`, `date=ge2024-05` of a date within that time",
        "found",
        "found only from the last day of that time on",
        f'ge: "the range above the search value {_OVERLAP}, or {_CONTAINED}"',
        "prefix",
        r"=ge\d{4}(-\d\d)?$",
        Effect.MORE,
    ),
    Disagreement(
        "`date=le2024-09-17` of a period that begins on that day and ends later; the same with a second",
        "not found",
        "found, which [HAPI's issue 7020](https://github.com/hapifhir/hapi-fhir/issues/7020) is about",
        f'le: "the range below the search value {_OVERLAP} or {_CONTAINED}"; the period does neither',
        "prefix",
        r"=le\d",
        Effect.FEWER,
    ),
    Disagreement(
        "`date=ge2024-09-17` of a period that begins before that day and ends on it; the same with a second",
        "not found",
        "found",
        f'ge: "the range above the search value {_OVERLAP}, or {_CONTAINED}"; the period does neither',
        "prefix",
        r"=ge\d",
        Effect.FEWER,
    ),
    Disagreement(
        "`date=ap2024`",
        "what overlaps with 2024 and a tenth of the gap to today on either side",
        "400",
        'ap: "the recommended value for the approximation is 10% of the stated value (or for a date, 10% of the gap between now and the '
        'date)"',
        "prefix",
        r"=ap\d{4}",
        Effect.ANSWERED,
    ),
    Disagreement(
        "a whole number, such as `value-quantity=100`",
        "found from 99.5 to 100.5",
        "found where it is 100, and not where it is 99.9",
        '"Values that equal 100, to 3 significant figures precision, so this is actually searching for values in the range '
        '[99.5 ... 100.5)"',
        "number",
        r"=\d+(\||$)",
        Effect.MORE,
    ),
    Disagreement(
        "a composite of components, such as `component-code-value-concept=a$b`, where one component has the code and another the value",
        "not found",
        "found",
        'composites are for "where you need find a combination of key/value, not an intersection of separate matches on key and value"',
        "composite",
        r"^(component|combo)-code-value-",
        Effect.FEWER,
    ),
    Disagreement(
        "`category=|environment` of an element of type code, which names no system",
        "found",
        "not found: as the code has an implied system",
        '"the value of [code] matches a Coding.code or Identifier.value, and the Coding/Identifier has no system property"; of an element '
        'of type code R4 says too that its system is "(implicit)"',
        "token",
        r"=\|",
        Effect.MORE,
    ),
    Disagreement(
        "`_tag=|review`, `_security=|N` of a label that has a system",
        "not found",
        "found",
        '"the value of [code] matches a Coding.code or Identifier.value, and the Coding/Identifier has no system property"',
        "token",
        r"^_(tag|security)=\|",
        Effect.FEWER,
    ),
    Disagreement(
        "`_tag=https://hospital.example/tags|`",
        "served",
        "400",
        '"[parameter]=[system]|: any element where the value of [system] matches the system property of the Identifier or Coding"',
        "token",
        r"^_(tag|security)=[^|]+\|$",
        Effect.ANSWERED,
    ),
    Disagreement(
        "R4's parameters for what only extensions hold, such as `Observation.gene-identifier`, `Device.din`",
        "served",
        "400: not known",
        '"Servers can choose which parameters to support (other than _id above)"',
        "conformance",
        r"^(amino-|assessed-condition|din\b|dna-|gene-|item-subject|mothersMaidenName)",
        Effect.ANSWERED,
    ),
    Disagreement(
        "a modifier that the parameter does not have, such as `birthdate:exact`",
        "400",
        "200, as if it were not there",
        '"Server SHALL reject any search request that contains is suffixed by a modifier that the server does not support for that '
        'parameter"',
        "modifiers",
        r"^[\w-]+:(?!(missing|not|text|in|not-in|above|below|identifier|contains)=)[a-z-]+=",
        Effect.REFUSED,
    ),
    Disagreement(
        "`_profile:missing`, `_tag:missing`, `_security:missing`",
        "what has none, or what has one",
        "everything, for true as for false",
        '"Searching for gender:missing=true will return all the resources that don\'t have a value for the gender parameter"',
        "modifiers",
        r"^_(profile|tag|security):missing=",
        Effect.FEWER,
    ),
    Disagreement(
        "`family:contains`",
        "served",
        "405 unless it was switched on",
        '"The :contains modifier returns results that include the supplied parameter value anywhere within the field being searched"',
        "string",
        r":contains=",
        Effect.ANSWERED,
    ),
    Disagreement(
        "a string without a value, such as `family=`",
        "as if it were not there",
        "nothing is found",
        '"Empty parameters are not an error - they are just ignored by the server"',
        "errors",
        r"=$",
        Effect.MORE,
    ),
    Disagreement(
        "`_elements` without an element that must be there, such as `status`",
        "the element comes along",
        "only what was named",
        '"Servers SHOULD always return mandatory elements whether they are requested or not"',
        "elements",
        r"_elements=",
        Effect.FULLER,
    ),
    Disagreement(
        "a compartment by path, such as `Patient/1/Condition`",
        "served",
        "400 unless its provider was added",
        '"GET [base]/Patient/[id]/[type]?parameter(s)"',
        "Introduction",
        r"^Patient/[^/]+/[A-Z]",
        Effect.ANSWERED,
    ),
    Disagreement(
        "a search at the base URL",
        "served, with `_sort` across the types too",
        "400",
        '"GET [base]?parameter(s) (parameters common to all types)"',
        "Introduction",
        r"^$",
        Effect.ANSWERED,
    ),
)


def explained(question: Sequence[str], effects: Iterable[Effect]) -> list[Disagreement]:
    """The disagreements that explain what a question's answers differ in; empty where an effect is left without explanation.

    The question is its path and each of its parameters as `name=value`, decoded.
    """
    wanted = {*effects}
    found = [item for item in DISAGREEMENTS if item.effect in wanted and any(re.search(item.asked, part) for part in question)]
    return found if {item.effect for item in found} == wanted else []
