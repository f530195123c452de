"""What a resource can be found by: its entries in the search index, from its raw JSON, never from a model.

One field per parameter says what exactly the parameter finds. KEYS holds the values by which a resource is found fast, of all parameters
together, and is the only one with an index. Measured on the embedded store: an index per parameter made inserting nine times as slow,
no query used a wildcard index, and a search by a key and a field took a tenth of a scan's time.
"""

import unicodedata
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from adapter.clock import instant
from adapter.fhir import references
from adapter.fhir.resource import Raw
from adapter.store.dates import spans
from adapter.store.search_parameters import COMMON, COMMONPLACE, table

Entries = dict[str, list[Any]]
_Getter = Callable[[Raw], list[Any]]

KEYS = "_key"
EXACT = "\x01"
"""Leads the unfolded form of a string. Folding never makes this character, so the two forms cannot meet."""
_TEXT_LIMIT = 1000
_CONTACT_SYSTEMS = ("phone", "fax", "email", "pager", "url", "sms", "other")
_NAME_PARTS = ("family", "given", "prefix", "suffix", "text", "line", "city", "district", "state", "postalCode", "country")


def entries(raw: Raw) -> Entries:
    """The index of a resource: for each parameter that finds something in it, the values to search by.

    token: `code` and `system|code` and `system|`, or `|code` where there is no system; reference: `Type/id` and `id`, or the text of any
    other; string: folded, and unfolded behind EXACT; date: {lo, hi}, UTC, half-open; uri: the text. What cannot be read is left out.
    """
    found: Entries = {}
    keys: dict[str, None] = {}
    for name, getters, kind in _compiled(raw.get("resourceType", "")):
        values: dict[Any, None] = {}
        for getter in getters:
            for value in getter(raw):
                values.update(dict.fromkeys(_CONVERT[kind](value)))
        if values:
            found[name] = [{"lo": value[0], "hi": value[1]} if isinstance(value, tuple) else value for value in values]
            if name not in COMMONPLACE:
                keys.update(dict.fromkeys(key for value in values if (key := key_of(kind, value))))
    if keys:
        found[KEYS] = [*keys]
    return found


def key_of(kind: str, value: Any) -> str | None:
    """The entry of KEYS for an entry of a parameter; None where another entry of the same parameter has it."""
    if kind == "date":
        return instant(value[0])
    if kind == "token":
        system, bar, code = value.rpartition("|")
        return code if system or not bar else None
    if kind == "reference":
        return value if "/" in value or ":" in value else None
    return None if value.startswith(EXACT) else str(value)


def folded(text: str) -> str:
    """The text as it is compared: without accents and case, one space for any white space, cut at a thousand characters."""
    text = clean(text)
    if not text.isascii():
        text = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return text.casefold()


def clean(text: str) -> str:
    """The text as `:exact` compares it: one space for any white space, cut at a thousand characters."""
    return " ".join(text[:_TEXT_LIMIT].replace(EXACT, "").split())


@cache
def _compiled(type: str) -> tuple[tuple[str, tuple[_Getter, ...], str], ...]:
    rows = table().get(type)
    return tuple((row.name, tuple(map(_getter, row.paths)), row.kind) for row in (rows.values() if rows else COMMON) if row.paths)


def _getter(path: str) -> _Getter:
    """A function that lists what is at a path of the table."""
    if path.endswith("?"):
        return _presence(path[:-1])
    path, _, target = path.partition(":")
    steps = tuple(_step(name) for name in path.split("."))
    first = steps[0][0]

    def get(raw: Raw) -> list[Any]:
        if first not in raw:
            return []
        nodes: list[Any] = [raw]
        for name, key, wanted in steps:
            found: list[Any] = []
            for node in nodes:
                value = node.get(name) if isinstance(node, dict) else None
                if isinstance(value, list):
                    found += value
                elif value is not None:
                    found.append(value)
            nodes = [node for node in found if isinstance(node, dict) and node.get(key) == wanted] if key else found
        return [node for node in nodes if _points_to(node, target)] if target else nodes

    return get


def _step(text: str) -> tuple[str, str, str]:
    name, _, selector = text.rstrip("]").partition("[")
    key, _, wanted = selector.partition("=")
    return name, key, wanted


def _presence(name: str) -> _Getter:
    def get(raw: Raw) -> list[Any]:
        values = [value for key, value in raw.items() if key.startswith(name) and value is not None]
        return [any(value is not False for value in values)]

    return get


def _points_to(node: Any, target: str) -> bool:
    if not isinstance(node, dict):
        return False
    text = node.get("reference")
    if not isinstance(text, str):
        return node.get("type") == target
    return text.partition("/_history/")[0].split("/")[-2:-1] == [target]


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


def _string(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield folded(value)
            yield EXACT + clean(value)
    elif isinstance(value, dict):
        for part in _NAME_PARTS:
            held = value.get(part)
            for text in held if isinstance(held, list) else (held,):
                if isinstance(text, str):
                    yield from _string(text)


def _date(value: Any) -> Iterator[Any]:
    found = spans(value)
    if found:
        yield found


def _uri(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value


_CONVERT: dict[str, Callable[[Any], Iterator[Any]]] = {
    "token": _token,
    "reference": _reference,
    "string": _string,
    "date": _date,
    "uri": _uri,
}
