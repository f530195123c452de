"""A whole case as one JSON file: what was recorded and which transitions were made, moment by moment.

    {"story": "F-RIVER", "title": "…", "note": "…",
     "timeline": [{"at": "<instant>", "by": "@dana", "save": [{"concept": "client", "as": "river", "fields": {…}}]},
                  {"at": "<instant>", "by": "@dana", "transition": "TR-01", "case": "@case", "reason": "…", "open_cases": 11}],
     "expect": {"path": ["TR-01"], "fhir": {"Goal": "4"}, "seed": [{"datum": "…", "type": "Patient", "path": "name.given",
                 "value": "River"}]}}

`@name` stands for the reference to the record saved under that name, `@name#Type` for its other face. The same name saved again is a new
version of the record. Ids come from the names, so a story read twice is the same records. `open_cases` is how many other cases the case
manager has open at that moment.
"""

import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from adapter.cases.consequences import consequences
from adapter.cases.facts import Facts, Situation, moment
from adapter.cases.fields import Moment
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS, types_of
from adapter.cases.rules import Writing, broken
from adapter.cases.workflow import TRANSITIONS, advance, opened
from adapter.errors import Invalid

_NAMESPACE = uuid.UUID("9d1c5c5e-6f0a-5f0e-9a55-0c3f6a1d2b47")
_MENTION = re.compile(r"@([a-z][a-z0-9-]*)(?:#([A-Za-z]+))?")
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_INSTANT = Moment()
_WAYS = frozenset(row.id for row in TRANSITIONS)
_LONG_AGO = "1900-01-01"  # stands in for the moment at which a case opens, while its fields are checked
_SHOWN = 5  # faults told in a text; all of them are in `expression`

# What the process itself writes into a case; a later `save` of the case does not take it away.
_OF_PROCESS = ("step", "status", "status_history", "closed_at", "requests", "cycle", "tier", "priority_score")


@dataclass(frozen=True)
class Saved:
    """A record as it is from one moment on. `reference` is `Type/id`, by the record's usual type."""

    concept: str
    reference: str
    fields: Fields

    @property
    def id(self) -> str:
        """The record's id, the same for all its faces."""
        return self.reference.partition("/")[2]


@dataclass(frozen=True)
class Entry:
    """What happened at one moment: records saved, or a case's transition."""

    at: str
    by: str
    saves: tuple[Saved, ...] = ()
    transition: str | None = None
    case: str | None = None
    reason: str | None = None
    open_cases: int = 0


@dataclass(frozen=True)
class Story:
    """A checked story. `expect` is as in the file: path, fhir, seed."""

    name: str
    title: str
    entries: tuple[Entry, ...]
    expect: Fields = field(default_factory=dict)


def parse(raw: Mapping[str, Any]) -> Story:
    """The story in a parsed JSON object, decimals as Decimal. Raises Invalid that names every fault's JSON path and its reason."""
    reader = _Reader(raw)
    story = reader.story()
    if reader.faults:
        texts = [f"{path}: {reason}" for path, reason in reader.faults]
        more = f" and {len(texts) - _SHOWN} more" if len(texts) > _SHOWN else ""
        raise Invalid(f"The story is not valid. {'; '.join(texts[:_SHOWN])}{more}", expression=[path for path, _ in reader.faults])
    return story


def replay(story: Story) -> Iterator[tuple[Entry, tuple[Saved, ...]]]:
    """Each entry with the records that it writes, in order, the case's transitions carried out by the workflow.

    Raises RuleViolated where the process, or a rule of a record, does not allow what the story tells.
    """
    now: dict[str, Saved] = {}
    for position, entry in enumerate(story.entries):
        written = tuple(_settled(saved, now, entry.at) for saved in entry.saves)
        _obey(entry, written, now)
        if entry.transition and entry.case:
            case = now[entry.case]
            facts = Facts(_of_case(now, entry.case), open_cases=entry.open_cases)
            request = f"{story.name}/{position}"
            fields = advance(case.fields, entry.transition, facts, entry.at, entry.by, entry.reason, request)
            situation = Situation(case.fields, facts, entry.at, entry.by, entry.reason)
            follows = (Saved(*effect) for effect in consequences(entry.transition, situation))
            written = (Saved("case", entry.case, fields), *follows)
        now.update({saved.reference: saved for saved in written})
        yield entry, written


def _obey(entry: Entry, written: tuple[Saved, ...], before: Mapping[str, Saved]) -> None:
    """Raise the error of the first rule that the records break, all being saved, as whoever else writes them would be told."""
    now = {**before, **{saved.reference: saved for saved in written}}
    for saved in written:
        old = before[saved.reference].fields if saved.reference in before else {}
        for error in broken(Writing(saved.concept, saved.fields, old, entry.at, partial(_around, entry, saved, now)), reason=entry.reason):
            raise error


def _around(entry: Entry, saved: Saved, now: Mapping[str, Saved]) -> Situation:
    """What a record will be part of: its case, or what belongs to none."""
    case = saved.reference if saved.concept == "case" else saved.fields.get("case", "")
    fields = now[case].fields if case in now else {"client": saved.fields.get("client", "")}
    return Situation(fields, Facts(_of_case(now, case)), entry.at, entry.by, entry.reason)


def _settled(saved: Saved, now: Mapping[str, Saved], at: str) -> Saved:
    """A case keeps what the process wrote, and begins with a first stretch of history; other records are as the story says."""
    if saved.concept != "case":
        return saved
    before = now[saved.reference].fields if saved.reference in now else {}
    kept = {name: before[name] for name in (*_OF_PROCESS, "opened_at") if name in before}
    return Saved(saved.concept, saved.reference, opened({**kept, **saved.fields}, at))


def _of_case(now: Mapping[str, Saved], case: str) -> dict[str, dict[str, Fields]]:
    records: dict[str, dict[str, Fields]] = {}
    for reference, saved in now.items():
        if saved.fields.get("case", case) == case:
            records.setdefault(saved.concept, {})[reference] = saved.fields
    return records


class _Reader:
    """Reads a story and gathers its faults; what it returns is only of use where there are none."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.faults: list[tuple[str, str]] = []
        self.name = str(raw.get("story", ""))
        self.references: dict[str, dict[str, str]] = {}  # name → type → reference, the usual type first
        self.concepts: dict[str, str] = {}
        self.taken: dict[tuple[str, str, str], str] = {}  # business identifier → the name that has it

    def story(self) -> Story:
        self._shape("$", self.raw, {"story": str, "title": str, "timeline": list}, {"note": str, "expect": dict})
        timeline = self.raw.get("timeline")
        rows = timeline if isinstance(timeline, list) else []
        saves = [self._saves(f"$.timeline[{place}]", row) for place, row in enumerate(rows)]
        entries = [self._entry(f"$.timeline[{place}]", row, saves[place]) for place, row in enumerate(rows)]
        self._order(entries)
        expect = self.raw.get("expect", {})
        if isinstance(expect, dict):
            self._expect(expect)
        return Story(self.name, str(self.raw.get("title", "")), tuple(entries), expect)

    def _fault(self, path: str, reason: str) -> None:
        self.faults.append((path, reason))

    def _shape(self, path: str, value: Any, needed: Mapping[str, type], free: Mapping[str, type]) -> bool:
        if not isinstance(value, dict):
            self._fault(path, "is not an object")
            return False
        before = len(self.faults)
        for key in needed.keys() - value.keys():
            self._fault(f"{path}.{key}", "is missing")
        for key, found in value.items():
            kind = needed.get(key) or free.get(key)
            if kind is None:
                self._fault(path, f"has a key other than {', '.join([*needed, *free])}")
            elif not isinstance(found, kind) or found == "":
                self._fault(f"{path}.{key}", f"is not {'a text' if kind is str else 'of the right type'}")
        return len(self.faults) == before

    def _saves(self, path: str, row: Any) -> list[tuple[str, Fields]]:
        """The well-formed saves of an entry with their paths, their names made known."""
        rows = row.get("save", []) if isinstance(row, dict) else []
        found = []
        for place, save in enumerate(rows if isinstance(rows, list) else []):
            here = f"{path}.save[{place}]"
            if self._shape(here, save, {"concept": str, "as": str, "fields": dict}, {}) and self._introduce(here, save):
                found.append((here, save))
        return found

    def _introduce(self, path: str, save: Fields) -> bool:
        concept, name = save["concept"], save["as"]
        if concept not in RECORDS:
            self._fault(f"{path}.concept", "is not a known concept")
            return False
        if not _NAME.fullmatch(name):
            self._fault(f"{path}.as", "is not a name: a small letter, then small letters, digits and hyphens")
            return False
        if self.concepts.setdefault(name, concept) != concept:
            self._fault(f"{path}.as", "is the name of a record of another concept")
            return False
        id_ = str(uuid.uuid5(_NAMESPACE, f"{self.name}/{name}"))
        self.references.setdefault(name, {type_: f"{type_}/{id_}" for type_ in types_of(concept, save["fields"])})
        return True

    def _entry(self, path: str, row: Any, saves: list[tuple[str, Fields]]) -> Entry:
        free = {"save": list, "transition": str, "case": str, "reason": str, "open_cases": int}
        if not self._shape(path, row, {"at": str, "by": str}, free):
            return Entry("", "")
        if not _INSTANT.accepts(row["at"]):
            self._fault(f"{path}.at", _INSTANT.RULE)
        if ("save" in row) == ("transition" in row):
            self._fault(path, "must have either save or transition")
        saved = tuple(self._saved(here, save) for here, save in saves)
        by = self._resolved(f"{path}.by", row["by"])
        if "transition" not in row:
            return Entry(row["at"], by, saved)
        if row["transition"] not in _WAYS:
            self._fault(f"{path}.transition", f"is not one of {', '.join(sorted(_WAYS))}")
        case = row.get("case", "")
        if self.concepts.get(case.removeprefix("@")) != "case":
            self._fault(f"{path}.case", "does not name a case of the story")
        case = self._resolved(f"{path}.case", case)
        return Entry(row["at"], by, (), row["transition"], case, row.get("reason"), row.get("open_cases", 0))

    def _saved(self, path: str, save: Fields) -> Saved:
        concept, name = save["concept"], save["as"]
        fields = self._resolved(f"{path}.fields", save["fields"])
        whole = fields
        if concept == "case":
            for key in sorted(fields.keys() & set(_OF_PROCESS)):
                self._fault(f"{path}.fields.{key}", "is written by the case's transitions")
            whole = opened({key: value for key, value in fields.items() if key not in _OF_PROCESS}, _LONG_AGO)
        for problem in RECORDS[concept].of(whole).problems():
            where, _, rule = problem.partition(": ")
            self._fault(f"{path}.fields" if where == concept else f"{path}.fields.{where}", rule)
        self._claim(path, concept, name, fields)
        return Saved(concept, next(iter(self.references[name].values())), fields)

    def _claim(self, path: str, concept: str, name: str, fields: Fields) -> None:
        """Two records of a concept with the same business identifier are one record told twice."""
        claims = [(f"{path}.fields.case_number", "", fields.get("case_number"))] if concept == "case" else []
        identifiers = fields.get("identifiers")
        for place, item in enumerate(identifiers if isinstance(identifiers, list) else []):
            if isinstance(item, dict):
                claims.append((f"{path}.fields.identifiers[{place}]", str(item.get("system")), item.get("value")))
        for where, system, value in claims:
            if isinstance(value, str) and self.taken.setdefault((concept, system, value), name) != name:
                self._fault(where, "is the identifier of another record of the story")

    def _resolved(self, path: str, value: Any) -> Any:
        """The value with every mention of a record replaced by its reference."""
        if isinstance(value, dict):
            return {
                key: self._resolved(f"{path}.{key}" if _NAME.fullmatch(str(key).replace("_", "-")) else path, item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._resolved(f"{path}[{place}]", item) for place, item in enumerate(value)]
        if not isinstance(value, str) or not value.startswith("@"):
            return value
        mention = _MENTION.fullmatch(value)
        faces = self.references.get(mention[1], {}) if mention else {}
        if mention is None or not faces:
            self._fault(path, "names a record that the story does not have")
        elif mention[2] and mention[2] not in faces:
            self._fault(path, f"names a face that the record does not have; it has {', '.join(faces)}")
        else:
            return faces[mention[2]] if mention[2] else next(iter(faces.values()))
        return value

    def _order(self, entries: list[Entry]) -> None:
        moments = [moment(entry.at) if _INSTANT.accepts(entry.at) else None for entry in entries]
        for place, (before, after) in enumerate(zip(moments, moments[1:], strict=False), start=1):
            if before and after and after < before:
                self._fault(f"$.timeline[{place}].at", "is before the entry before it")

    def _expect(self, expect: Fields) -> None:
        if not self._shape("$.expect", expect, {}, {"path": list, "fhir": dict, "seed": list}):
            return
        for place, datum in enumerate(expect.get("seed", [])):
            here = f"$.expect.seed[{place}]"
            if self._shape(here, datum, {"datum": str, "type": str, "path": str}, {"value": str, "contains": str}) and (
                ("value" in datum) == ("contains" in datum)
            ):
                self._fault(here, "must have either value or contains")
