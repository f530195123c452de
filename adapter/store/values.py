"""What an element is searched by: its value in a resource → the entries of a search parameter in the index.

token: `code` and `system|code` and `system|`, or `|code` where there is no system; reference: `Type/id` and `id`, or the text of any other;
string: folded, and unfolded behind EXACT; phonetic: Soundex codes; date: a Span; number and quantity: a Measure; uri: the text.
What cannot be read is left out. http://hl7.org/fhir/R4/search.html
"""

import unicodedata
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

from adapter.fhir import references
from adapter.fhir.dates import spans

EXACT = "\x01"
"""Leads the unfolded form of a string. Folding never makes this character, so the two forms cannot meet."""
_TEXT_LIMIT = 1000
_CONTACT_SYSTEMS = ("phone", "fax", "email", "pager", "url", "sms", "other")
_NAME_PARTS = ("family", "given", "prefix", "suffix", "text", "line", "city", "district", "state", "postalCode", "country")
_SOUNDS = {letter: digit for digit, letters in enumerate(("bfpv", "cgjkqsxz", "dt", "l", "mn", "r"), 1) for letter in letters}


class Measure(NamedTuple):
    """A number, or a range of them, with the ways to name its unit: `system|code`, `|code` and `|unit`."""

    lo: float
    hi: float
    units: tuple[str, ...] = ()


def folded(text: str) -> str:
    """The text as it is compared: without accents and case, one space for any white space, cut at a thousand characters."""
    text = clean(text)
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return text.casefold()


def clean(text: str) -> str:
    """The text as `:exact` compares it: one space for any white space, cut at a thousand characters."""
    return " ".join(text[:_TEXT_LIMIT].replace(EXACT, "").split())


def soundex(word: str) -> str:
    """American Soundex of a word, empty where it has no letter of the English alphabet. https://www.archives.gov/research/census/soundex"""
    letters = [char for char in folded(word) if "a" <= char <= "z"]
    digits, last = [], _SOUNDS.get(letters[0], 0) if letters else 0
    for letter in letters[1:]:
        sound = _SOUNDS.get(letter, 0)
        if sound and sound != last:
            digits.append(str(sound))
        if letter not in "hw":
            last = sound
    return (letters[0] + "".join(digits) + "000")[:4] if letters else ""


def texts(value: Any) -> Iterator[str]:
    """What `:text` compares of a coded element, folded: CodeableConcept.text, Coding.display, Identifier.type.text."""
    if not isinstance(value, dict):
        return
    codings, type = value.get("coding"), value.get("type")
    held = [value.get("text"), value.get("display"), type.get("text") if isinstance(type, dict) else None]
    held += [coding.get("display") for coding in codings if isinstance(coding, dict)] if isinstance(codings, list) else []
    for text in held:
        if isinstance(text, str) and text.strip():
            yield folded(text)


def identifiers(value: Any) -> Iterator[str]:
    """The tokens of a Reference's identifier, which `:identifier` compares."""
    held = value.get("identifier") if isinstance(value, dict) else None
    if isinstance(held, dict):
        yield from _coding(held, "value")


def _token(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
        yield f"|{value}"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, dict):
        codings = value.get("coding")
        if isinstance(codings, list):
            for coding in codings:
                yield from _coding(coding, "code")
        elif "code" in value:
            yield from _coding(value, "code")
        elif "value" in value:
            # A ContactPoint's system is no namespace, so `|` does not apply to it.
            yield from _coding({"value": value["value"]} if value.get("system") in _CONTACT_SYSTEMS else value, "value")


def _coding(coding: Any, key: str) -> Iterator[str]:
    if not isinstance(coding, dict):
        return
    code, system = coding.get(key), coding.get("system")
    if isinstance(code, str):
        yield code
        yield f"{system}|{code}" if isinstance(system, str) else f"|{code}"
    if isinstance(system, str):
        yield f"{system}|"


def _reference(value: Any) -> Iterator[str]:
    text = value.get("reference") if isinstance(value, dict) else value
    if not isinstance(text, str) or text.startswith("#"):
        return
    literal = references.split(text)
    if literal:
        yield f"{literal[0]}/{literal[1]}"
        yield literal[1]
        return
    yield text
    if not isinstance(value, dict) and "|" in text:
        yield text.partition("|")[0]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value
    elif isinstance(value, dict):
        for part in _NAME_PARTS:
            held = value.get(part)
            for text in held if isinstance(held, list) else (held,):
                if isinstance(text, str):
                    yield from _strings(text)


def _string(value: Any) -> Iterator[str]:
    for text in _strings(value):
        yield folded(text)
        yield EXACT + clean(text)


def _phonetic(value: Any) -> Iterator[str]:
    for text in _strings(value):
        yield from filter(None, map(soundex, text.split()))


def _date(value: Any) -> Iterator[Any]:
    found = spans(value)
    if found:
        yield found


def _uri(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value


def _number(value: Any) -> Iterator[Measure]:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        yield Measure(float(value), float(value))
    elif isinstance(value, dict):
        yield from _quantity(value)


def _quantity(value: Any) -> Iterator[Measure]:
    if not isinstance(value, dict):
        return
    if "low" in value or "high" in value:
        ends = [[*_quantity(value.get(end))] for end in ("low", "high")]
        low, high = (found[0] if found else None for found in ends)
        if low or high:
            units = low.units if low else high.units if high else ()
            yield Measure(low.lo if low else float("-inf"), high.hi if high else float("inf"), units)
        return
    plain = value.get("value")
    for number in _number(None if isinstance(plain, dict) else plain):
        system, code, unit = (value.get(name) for name in ("system", "code", "unit"))
        named = [f"{system}|{code}"] if isinstance(system, str) and isinstance(code, str) else []
        named += [f"|{text}" for text in (code, unit) if isinstance(text, str)]
        currency = value.get("currency")
        named += [f"urn:iso:std:iso:4217|{currency}", f"|{currency}"] if isinstance(currency, str) else []
        yield number._replace(units=tuple(dict.fromkeys(named)))


CONVERT: dict[str, Callable[[Any], Iterator[Any]]] = {
    "token": _token,
    "reference": _reference,
    "string": _string,
    "phonetic": _phonetic,
    "date": _date,
    "uri": _uri,
    "number": _number,
    "quantity": _quantity,
}
"""By a parameter's kind, the function from an element's value to its entries."""
