"""What the texts of a resource seem to tell about who somebody is, so that no sandbox learns it from a note (V-20).

Looked at is every text but literal references and those in the places made for it (names, identifiers, addresses, telephone numbers), for
which the tag `synthetic` vouches. Found is what a pattern can find, and what the client's own record says of the client; who is described
and not named is not found. What is reserved for examples identifies nobody: social security numbers that are never issued
(https://www.ssa.gov/employer/randomizationfaqs.html), telephone numbers 555-01xx (https://www.nanpa.com/numbering/555-line-numbers),
domains of https://www.rfc-editor.org/rfc/rfc2606.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from adapter.fhir.references import split
from adapter.fhir.resource import Raw
from adapter.fhir.structure import parts

Sign = tuple[str, re.Pattern[str], re.Pattern[str] | None]
"""What is found, how it looks, and how it looks where it identifies nobody."""

_PLACES = frozenset({"HumanName", "Identifier", "Address", "ContactPoint", "Base64Binary"})
_SIGNS: tuple[Sign, ...] = (
    ("a social security number", re.compile(r"(?<![\w-])\d{3}-\d{2}-\d{4}(?![\w-])"), re.compile(r"^(?:000|666|9)|-00-|-0000$")),
    (
        "a telephone number",
        re.compile(
            r"(?<![\w.+-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])|\+[2-9]\d{0,2}(?:[ ./()-]{0,2}\d){7,11}"
        ),
        re.compile(r"555[ .-]01\d\d$"),
    ),
    (
        "an e-mail address",
        re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
        re.compile(r"[@.](?:example(?:\.(?:com|net|org))?|test|invalid|localhost)$"),
    ),
)
_SHORTEST = 5
"""Characters of an identifier that is looked for; a shorter one is found in texts about something else."""


def signs_of(client: Raw) -> tuple[Sign, ...]:
    """What a text would name this Patient by: a given name with the family name, an identifier, a telephone number or e-mail address."""
    names = [pattern for name in client.get("name", ()) for pattern in _names(name)]
    owned = [item.get("value", "") for element in ("identifier", "telecom") for item in client.get(element, ())]
    values = [rf"(?<!\w){re.escape(value)}(?!\w)" for value in owned if len(value) >= _SHORTEST]
    found = (("the client's name", names), ("an identifier of the client", values))
    return tuple((what, re.compile("|".join(patterns), re.IGNORECASE), None) for what, patterns in found if patterns)


def _names(name: Raw) -> Iterator[str]:
    """A family name alone is looked for nowhere: many are words, too."""
    family = re.escape(name.get("family", ""))
    for given in map(re.escape, name.get("given", ()) if family else ()):
        yield rf"\b{given}\W+(?:\w+\W+){{0,2}}{family}\b|\b{family}\W+{given}\b"


def telling(raw: Raw, signs: Iterable[Sign] = (), said: Raw | None = None) -> str | None:
    """What the first text of the resource holds that seems to tell who somebody is, by these and the usual signs; None where none does.

    `said` is the resource as the reader has it: what is in its texts is no news.
    """
    known = set(_texts(said, None)) if said else ()
    looked_for = (*_SIGNS, *signs)
    return next((what for text in _texts(raw, None) if text not in known for what in _found(text, looked_for)), None)


def _found(text: str, signs: Iterable[Sign]) -> Iterator[str]:
    for what, look, nobody in signs:
        if any(nobody is None or not nobody.search(hit[0]) for hit in look.finditer(text)):
            yield what


def _texts(value: Raw, model: Any) -> Iterator[str]:
    known = parts(model, value)
    for name, item in value.items():
        element = known.get(name)
        if element and element.kind in _PLACES:
            continue
        for part in item if isinstance(item, list) else (item,):
            if isinstance(part, str):
                # A literal reference names a client by the id, which the remote needs to know; many have it as an identifier, too.
                if name != "reference" or split(part) is None:
                    yield part
            elif isinstance(part, dict):
                yield from _texts(part, element.model if element else None)
