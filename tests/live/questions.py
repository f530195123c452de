"""Questions to a FHIR server, made from the resources it holds: each parameter that finds something is asked about in every way."""

import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from adapter.fhir.resource import Raw
from adapter.store import index
from adapter.store.membership import compartment
from adapter.store.search_parameters import Parameter, parameters, table
from adapter.store.values import EXACT

Asked = Iterator[tuple[str, str, str]]
"""(category, name, value)."""
Held = Sequence[tuple[str, str, index.Entries]]
"""(type, id, index) of each resource."""

_PREFIXES = ("ne", "gt", "lt", "ge", "le", "sa", "eb")
_MOMENT = timedelta(milliseconds=1)
_NOTHING = {"date": "1801-01-01", "number": "987654", "quantity": "987654", "reference": "none", "uri": "urn:none:1"}
_SUMMARIES = ("true", "text", "data")


@dataclass(frozen=True)
class Question:
    """A search, of a category. `path` is a type, a compartment's or an operation's path, or none for the base URL."""

    category: str
    path: str
    params: tuple[tuple[str, str], ...] = ()
    post: bool = False

    @property
    def parts(self) -> list[str]:
        """The path, and each parameter as `name=value`."""
        return [self.path, *(f"{name}={value}" for name, value in self.params)]


def questions(resources: Sequence[Raw], most: int) -> list[Question]:
    """The questions, without repetition; of each category no more than `most`, always the same."""
    held = [(raw["resourceType"], raw["id"], index.entries(raw)) for raw in resources]
    by_category: dict[str, dict[Question, None]] = defaultdict(dict)
    for kind in (_simple, _together, _linked, _shaped, _whole):
        for question in kind(held):
            by_category[question.category][question] = None
    chance = random.Random(0)
    return [question for asked in by_category.values() for question in chance.sample([*asked], min(most, len(asked)))]


def _simple(held: Held) -> Iterator[Question]:
    for type in _types(held):
        nothing = 0
        for row in parameters(type).values():
            found = [entries[row.name] for kind, _, entries in held if kind == type and entries.get(row.name)]
            if row.kind != "composite" and row.paths:
                for text in ("true", "false"):
                    yield Question("missing", type, ((f"{row.name}:missing", text),))
            if row.kind in _ASKED and found:
                asked = itertools.chain.from_iterable(_ASKED[row.kind](row, values) for values in found[:: max(1, len(found) // 2)][:2])
                yield from (Question("label" if name[0] == "_" else category, type, ((name, value),)) for category, name, value in asked)
            elif row.paths and row.kind not in ("composite", "phonetic") and nothing < 3:
                nothing += 1
                yield Question("no-data", type, ((row.name, _NOTHING.get(row.kind, "nothing-here")),))


def _token(row: Parameter, values: list[Any]) -> Asked:
    codes = [value for value in values if "|" not in value][:1]
    systems = [value for value in values if "|" in value.strip("|")][:1]
    for code in codes:
        yield "token", row.name, _escaped(code)
        yield "not", f"{row.name}:not", _escaped(code)
        yield "token", row.name, "nothing-here"
        yield "error", f"{row.name}:nothing", _escaped(code)
        if code not in ("true", "false"):  # of which R4 says that no `|` SHALL be used
            yield "token-implied" if row.system else "token-system", row.name, f"|{_escaped(code)}"
        yield "token-or", row.name, f"nothing-here,{_escaped(code)}"
        if row.system:
            yield "token-implied", row.name, f"{row.system}|{_escaped(code)}"
            yield "token-implied", f"{row.name}:not", f"{row.system}|{_escaped(code)}"
    for value in systems:
        system, _, code = value.rpartition("|")
        yield "token-system", row.name, f"{_escaped(system)}|{_escaped(code)}"
        yield "token-system", row.name, f"{_escaped(system)}|"
        yield "token-system", row.name, f"http://nowhere.example|{_escaped(code)}"
        yield "not", f"{row.name}:not", f"{_escaped(system)}|{_escaped(code)}"


def _string(row: Parameter, values: list[Any]) -> Asked:
    exact = next(value for value in values if value.startswith(EXACT)).removeprefix(EXACT)
    yield "string", row.name, _escaped(exact)
    yield "string", row.name, _escaped(exact[:3]).strip("\\")
    yield "string-case", row.name, _escaped(exact.upper())
    yield "string-exact", f"{row.name}:exact", _escaped(exact)
    yield "string-exact", f"{row.name}:exact", _escaped(exact.swapcase())
    yield "string-contains", f"{row.name}:contains", _escaped(exact[-3:])
    yield "empty", row.name, ""


def _reference(row: Parameter, values: list[Any]) -> Asked:
    for value in [value for value in values if "/" in value and ":" not in value][:1]:
        type, _, id = value.partition("/")
        yield "reference", row.name, value
        yield "reference-bare", row.name, id
        yield "reference-type", f"{row.name}:{type}", id
        yield "reference", row.name, f"{value},{type}/none"


def _uri(row: Parameter, values: list[Any]) -> Asked:
    yield "uri", row.name, values[0]
    if urlsplit(values[0]).netloc and row.name[0] != "_":
        yield "uri-below", f"{row.name}:below", "{0.scheme}://{0.netloc}/".format(urlsplit(values[0]))


def _date(row: Parameter, values: list[Any]) -> Asked:
    low, high = values[0]["lo"], values[0]["hi"]
    day = low.date().isoformat()
    yield "date", row.name, day
    yield "date-ge", row.name, f"ge{(high - _MOMENT).date().isoformat()}"
    for prefix in _PREFIXES:
        yield f"date-{prefix}", row.name, f"{prefix}{day}"
    for prefix in ("", "ge", "lt"):
        yield f"date-partial-{prefix or 'eq'}", row.name, f"{prefix}{day[:4]}"
        yield f"date-partial-{prefix or 'eq'}", row.name, f"{prefix}{day[:7]}"
    if low.time().isoformat() != "00:00:00":
        for prefix in ("", "gt", "lt", "ge", "le"):
            yield "datetime", row.name, f"{prefix}{low.isoformat(timespec='seconds')}"
    yield "date-approximate", row.name, f"ap{day}"
    yield "error", row.name, "not-a-date"
    yield "error", f"{row.name}:exact", day


def _measure(row: Parameter, values: list[Any]) -> Asked:
    number = f"{values[0]['lo']:g}"
    for prefix in ("", "gt", "lt", "ge", "le"):
        yield f"{row.kind}{'-prefix' if prefix else ''}", row.name, f"{prefix}{number}"
    for unit in [text for text in values[0]["u"] if row.kind == "quantity"][:2]:
        yield "quantity-unit", row.name, f"{number}|{unit}"
        yield "quantity-unit", row.name, f"le{number}|{unit}"


_ASKED: dict[str, Callable[[Parameter, list[Any]], Asked]] = {
    "token": _token,
    "string": _string,
    "reference": _reference,
    "uri": _uri,
    "date": _date,
    "number": _measure,
    "quantity": _measure,
}


def _together(held: Held) -> Iterator[Question]:
    """Several parameters that one resource fulfils; the parts of its composites."""
    for number, (type, _, entries) in enumerate(held):
        rows = [row for row in parameters(type).values() if entries.get(row.name) and row.name[0] != "_"]
        texts = [(row.name, text) for row in rows if (text := _text(row.kind, entries[row.name])) is not None]
        turn = number % max(1, len(texts))
        chosen = [*texts[turn:], *texts[:turn]]
        if len(chosen) > 2:
            yield Question("combo", type, tuple(chosen[:2]))
            yield Question("combo", type, tuple(chosen[:3]), post=number % 4 == 0)
        for name in dict.fromkeys(row.name for row in rows if row.kind == "token"):
            codes = [value for value in entries[name] if "|" not in value]
            if len(codes) > 1:
                yield Question("and", type, tuple((name, _escaped(code)) for code in codes[:2]))
        for row in rows:
            if row.kind == "composite":
                kinds = [kind for kind, _ in row.parts]
                for last in {0, len(entries[row.name]) - 1}:  # of one component, and of two
                    a, b = entries[row.name][0]["a"], entries[row.name][last]["b"]
                    parts = [_text(kind, values) for kind, values in zip(kinds, (a, b), strict=True)]
                    if all(parts):
                        yield Question("composite", type, ((row.name, "$".join(map(str, parts))),))
        for row in [row for row in rows if row.kind == "date"][:1]:
            year = entries[row.name][0]["lo"].year
            yield Question("date-range", type, ((row.name, f"ge{year}-01-01"), (row.name, f"lt{year + 1}-01-01")))


def _text(kind: str, values: list[Any]) -> str | None:
    """One value of a resource as a search for it."""
    first = values[0]
    if kind == "date":
        return f"gt{first['lo'].year - 1}" if first["lo"].year > 1900 else None
    if kind in ("number", "quantity"):
        return f"{first['lo']:g}" if first["lo"] % 1 else None
    if kind in ("token", "string"):
        return next((_escaped(value) for value in values if "|" not in value and not value.startswith(EXACT)), None)
    return first if kind in ("reference", "uri") and isinstance(first, str) else None


def _linked(held: Held) -> Iterator[Question]:
    by_place = {f"{type}/{id}": entries for type, id, entries in held}
    seen: set[tuple[str, ...]] = set()
    for type, id, entries in held:
        for row in parameters(type).values():
            for place in [text for text in entries.get(row.name, ()) if row.kind == "reference" and text in by_place][:1]:
                target, _, target_id = place.partition("/")
                if (type, row.name, target) in seen:
                    continue
                seen.add((type, row.name, target))
                for name in _tokens(target, by_place[place]):
                    yield Question("chain", type, ((f"{row.name}:{target}.{name}", _escaped(by_place[place][name][0])),))
                    if row.targets == (target,):
                        yield Question("chain", type, ((f"{row.name}.{name}", _escaped(by_place[place][name][0])),))
                for name in _tokens(type, entries):
                    yield Question("_has", target, ((f"_has:{type}:{row.name}:{name}", _escaped(entries[name][0])),))
                for second, third in _next(target, by_place[place], by_place):
                    for name in _tokens(third.partition("/")[0], by_place[third])[:1]:
                        chained = f"{row.name}:{target}.{second}:{third.partition('/')[0]}.{name}"
                        yield Question("chain-twice", type, ((chained, _escaped(by_place[third][name][0])),))
                include = ("_include", f"{type}:{row.name}")
                yield Question("_include", type, (("_id", id), include))
                yield Question("_include", type, (("_id", id), ("_include", f"{include[1]}:{target}")))
                yield Question("_include", type, (("_id", id), include, ("_include:iterate", "Patient:general-practitioner")))
                yield Question("_revinclude", target, (("_id", target_id), ("_revinclude", f"{type}:{row.name}")))
        if (type,) not in seen:
            seen.add((type,))
            yield Question("_include", type, (("_id", id), ("_include", "*")))


def _next(type: str, entries: index.Entries, by_place: dict[str, index.Entries]) -> list[tuple[str, str]]:
    rows = [row for row in parameters(type).values() if row.kind == "reference"]
    return [(row.name, text) for row in rows for text in entries.get(row.name, ()) if text in by_place][:1]


def _tokens(type: str, entries: index.Entries) -> list[str]:
    return [row.name for row in table()[type].values() if row.kind == "token" and row.name[0] != "_" and entries.get(row.name)][:3]


def _shaped(held: Held) -> Iterator[Question]:
    for type in _types(held):
        ids = [id for kind, id, _ in held if kind == type][:4]
        several = ("_id", ",".join(ids))
        yield Question("type", type)
        yield Question("id", type, (("_id", ids[0]),))
        yield Question("id", type, (several,))
        yield Question("id", type, (("_id", "none"),))
        yield Question("post", type, (several,), post=True)
        yield Question("lastUpdated", type, (("_lastUpdated", "gt2001-01-01"),))
        yield Question("lastUpdated", type, (("_lastUpdated", "lt2001-01-01"),))
        yield Question("count", type, (("_summary", "count"),))
        yield from (Question("summary", type, (several, ("_summary", text))) for text in _SUMMARIES)
        yield Question("elements", type, (several, ("_elements", "status,identifier")))
        yield Question("elements", type, (several, ("_elements", "subject,name")))
        yield Question("error", type, (("bird", "1"),))
        yield Question("error", type, (("_count", "many"),))
        yield Question("pages", type, (("_count", "3"),))
        for name in ["_id", *(row.name for row in parameters(type).values() if row.kind in ("date", "string") and row.name[0] != "_")]:
            if name == "_id" or any(kind == type and entries.get(name) for kind, _, entries in held):
                yield Question("order", type, (("_sort", name), ("_count", "7")))
                yield Question("order", type, (("_sort", f"-{name}"), ("_count", "50")))


def _whole(held: Held) -> Iterator[Question]:
    """Records of patients, compartments and the base URL."""
    patients = [id for type, id, _ in held if type == "Patient"][:2]
    yield Question("base", "", (("_type", "Patient,Encounter"),))
    for id in patients:
        yield Question("everything", f"Patient/{id}/$everything", (("_count", "500"),))
        yield from (Question("compartment", f"Patient/{id}/{type}") for type in _types(held) if type in compartment("Patient"))


def _types(held: Held) -> list[str]:
    return [*dict.fromkeys(type for type, _, _ in held)]


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\,$|" else char for char in text)
