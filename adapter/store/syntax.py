"""How search writes values: escapes, lists, and what is said where one is malformed. http://hl7.org/fhir/R4/search.html#escaping"""

import re

from adapter.errors import Invalid


def split(text: str, mark: str) -> list[str]:
    """The parts between the marks that no backslash escapes; escapes stay."""
    parts, escaped = [""], False
    for char in text:
        if char == mark and not escaped:
            parts.append("")
        else:
            parts[-1] += char
        escaped = char == "\\" and not escaped
    return parts


def unescape(text: str) -> str:
    """The text without the backslashes that protect the marks of search."""
    return re.sub(r"\\([\\,$|])", r"\1", text)


def plain(name: str) -> str:
    """What a client sent as a name, fit for an error's text: shortened, and nothing in it but the characters of a name."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "?", name[:40])


def malformed(name: str, wanted: str) -> Invalid:
    """The error that names a parameter and says what it needs."""
    return Invalid(f"The search parameter {plain(name)} needs {wanted}.", expression=[plain(name)])
