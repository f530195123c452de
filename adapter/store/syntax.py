"""How search writes values: escapes, lists, and what is said where one is malformed. http://hl7.org/fhir/R4/search.html#escaping"""

import re
from collections.abc import Iterable

from adapter.errors import Invalid

VALUE_AT_MOST = 2000
ALL_AT_MOST = 2**18
PARAMETERS_AT_MOST = 1000


def split(text: str, mark: str) -> list[str]:
    """The parts between the marks that no backslash escapes; escapes stay."""
    parts: list[list[str]] = [[]]
    escaped = False
    for char in text:
        if char == mark and not escaped:
            parts.append([])
        else:
            parts[-1].append(char)
        escaped = char == "\\" and not escaped
    return ["".join(part) for part in parts]


def check_length(params: Iterable[tuple[str, str]]) -> None:
    """Raise Invalid where a search or one of its values is longer than is looked for."""
    left = ALL_AT_MOST
    for number, (name, value) in enumerate(params):
        left -= len(name) + len(value)
        if left < 0 or number >= PARAMETERS_AT_MOST:
            raise Invalid(f"A search may have {PARAMETERS_AT_MOST} parameters and {ALL_AT_MOST} characters at most.")
        if len(value) > VALUE_AT_MOST and max(map(len, value.split(","))) > VALUE_AT_MOST:
            raise malformed(name, f"values of {VALUE_AT_MOST} characters at most")


def escape(text: str) -> str:
    """The text with backslashes before the marks of search, so that it is one value."""
    return re.sub(r"([\\,$|])", r"\\\1", text)


def unescape(text: str) -> str:
    """The text without the backslashes that protect the marks of search."""
    return re.sub(r"\\([\\,$|])", r"\1", text)


def plain(name: str) -> str:
    """What a client sent as a name, fit for an error's text: shortened, and nothing in it but the characters of a name."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "?", name[:40])


def malformed(name: str, wanted: str) -> Invalid:
    """The error that names a parameter and says what it needs."""
    return Invalid(f"The search parameter {plain(name)} needs {wanted}.", expression=[plain(name)])
