"""Questions to a FHIR server, made from the resources it holds: each parameter that finds something is asked about in every way."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.fhir.resource import Raw
from adapter.store import index
from adapter.store.search_parameters import Parameter, parameters, table
from adapter.store.values import EXACT

_DATE_PREFIXES = ("", "ne", "gt", "lt", "sa", "eb")
_NUMBER_PREFIXES = ("", "gt", "lt", "ge", "le")


@dataclass(frozen=True)
class Question:
    """A search, of a category."""

    category: str
    type: str
    params: tuple[tuple[str, str], ...]


def questions(resources: Sequence[Raw]) -> list[Question]:
    """The questions, without repetition, in order of the resources."""
    held = [(raw["resourceType"], raw["id"], index.entries(raw)) for raw in resources]
    return [*dict.fromkeys(question for asked in (_simple(held), _linked(held), _shaped(held)) for question in asked)]


def _simple(held: Sequence[tuple[str, str, index.Entries]]) -> Iterator[Question]:
    seen = set()
    for type, _, entries in held:
        for row in parameters(type).values():
            values = entries.get(row.name)
            if values and (type, row.name) not in seen and row.kind not in ("composite", "phonetic"):
                seen.add((type, row.name))
                if row.name[0] != "_":
                    yield Question("missing", type, ((f"{row.name}:missing", "true"),))
                    yield Question("missing", type, ((f"{row.name}:missing", "false"),))
                yield from (Question(row.kind, type, ((name, text),)) for name, text in _asked(row, values))


def _asked(row: Parameter, values: list[Any]) -> Iterator[tuple[str, str]]:
    match row.kind:
        case "token":
            for value in [value for value in values[:3] if not value.startswith("|")][:2]:
                yield row.name, _escaped(value, "|")
                yield f"{row.name}:not", _escaped(value, "|")
        case "string":
            exact = next(value for value in values if value.startswith(EXACT)).removeprefix(EXACT)
            yield row.name, _escaped(exact)[:12].strip("\\")
            yield row.name, _escaped(exact.upper())
            yield f"{row.name}:exact", _escaped(exact)
            yield f"{row.name}:exact", _escaped(exact.swapcase())
        case "reference":
            yield row.name, values[0]
        case "uri":
            yield row.name, values[0]
        case "date":
            for prefix in _DATE_PREFIXES:
                yield row.name, f"{prefix}{values[0]['lo'].date().isoformat()}"
        case "number" | "quantity":
            for prefix in _NUMBER_PREFIXES:
                yield row.name, f"{prefix}{values[0]['lo']}"


def _linked(held: Sequence[tuple[str, str, index.Entries]]) -> Iterator[Question]:
    by_place = {f"{type}/{id}": entries for type, id, entries in held}
    seen = set()
    for type, id, entries in held:
        for row in parameters(type).values():
            places = [text for text in entries.get(row.name, ()) if row.kind == "reference" and text in by_place]
            for place in places[:1]:
                target = place.partition("/")[0]
                if (type, row.name, target) in seen:
                    continue
                seen.add((type, row.name, target))
                for name in _tokens(target, by_place[place]):
                    yield Question("chain", type, ((f"{row.name}:{target}.{name}", _escaped(by_place[place][name][0])),))
                for name in _tokens(type, entries):
                    yield Question("_has", target, ((f"_has:{type}:{row.name}:{name}", _escaped(entries[name][0])),))
                yield Question("_include", type, (("_id", id), ("_include", f"{type}:{row.name}")))
                yield Question("_revinclude", target, (("_id", place.partition("/")[2]), ("_revinclude", f"{type}:{row.name}")))


def _tokens(type: str, entries: index.Entries) -> list[str]:
    return [row.name for row in table()[type].values() if row.kind == "token" and row.name[0] != "_" and entries.get(row.name)][:3]


def _shaped(held: Sequence[tuple[str, str, index.Entries]]) -> Iterator[Question]:
    for type in dict.fromkeys(type for type, _, _ in held):
        yield Question("type", type, ())
        yield Question("pages", type, (("_count", "3"),))
        yield Question("pages", type, (("_sort", "_id"), ("_count", "4")))


def _escaped(text: str, but: str = "") -> str:
    return "".join(f"\\{char}" if char in "\\,$|" and char not in but else char for char in text)
