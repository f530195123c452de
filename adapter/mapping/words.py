"""Words of ours in CodeableConcepts: as the coding of one code system, and made finer by an extension."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adapter.config import CS
from adapter.errors import CasebridgeError, Invalid
from adapter.fhir.elements import Step, ensure, find, parse_path, prune
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import text
from adapter.mapping.codes import CodeTable
from adapter.mapping.rules import ABSENT, UNREADABLE, Coded, Field, Problem, Row

# Says which of our concepts a resource is of, where its type alone does not.
RECORD_KIND = f"{CS}/record-kind"


@dataclass(frozen=True)
class Word(Coded):
    """A word as the coding of one code system in a CodeableConcept."""

    system: str = ""
    sole: bool = True
    """Whether the concept says the word and nothing else: another word then drops its text and other codings, which said the old one."""

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return parse_path(self.path)

    def _mine(self, coding: Any) -> bool:
        return isinstance(coding, dict) and coding.get("system") == self.system

    def read(self, node: Raw, report: list[Problem]) -> Any:
        held = find(node, self._steps)
        if held is None:
            return ABSENT
        codings = held.get("coding") if isinstance(held, dict) else None
        mine = next(filter(self._mine, codings if isinstance(codings, list) else ()), None)
        if mine is None and not self.sole:
            return ABSENT
        try:
            return self.decode(mine.get("code") if mine else None)
        except CasebridgeError as error:
            report.append(Problem(self.path, error.text))
            return UNREADABLE

    def write(self, node: Raw, value: Any) -> None:
        steps = self._steps
        if value is ABSENT and find(node, steps) is None:
            return
        new = [] if value is ABSENT else [{"system": self.system, "code": self.encode(value)}]
        held = ensure(node, steps)
        if self.sole:
            held.clear()
            # What a selector selects must stay selected to be pruned.
            held.update({"coding": new} if new else steps[-1].skeleton() if steps[-1].values else {})
        else:
            codings = held.get("coding", [])
            if not isinstance(codings, list):
                raise Invalid(f"{self.attr}: a list is expected.", expression=[f"{self.path}.coding"])
            held["coding"] = [coding for coding in codings if not self._mine(coding)] + new
            held.pop("_coding", None)
        prune(node, steps if self.sole else (*steps, Step("coding")))

    def rows(self) -> Iterator[Row]:
        yield Row(f"{self.path}.coding[system={self.system}].code", self.attr, f"code ({self.table.name})", self.note, self.table)


def word(path: str, attr: str, table: CodeTable, system: str, note: str = "", *, sole: bool = True) -> Word:
    """A rule for a CodeableConcept that holds a code of this system."""
    return Word(path, attr, text, note, table, system, sole)


@dataclass(frozen=True)
class Words(Field):
    """A list of codes ⇄ a list of words, by a table."""

    table: CodeTable = field(default_factory=lambda: CodeTable("", {}))

    def decode(self, value: Any) -> Any:
        return [self.table.decode(code) for code in super().decode(value)]

    def encode(self, value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise Invalid("not a list of words")
        return [self.table.encode(word) for word in value]

    def rows(self) -> Iterator[Row]:
        yield Row(f"{self.path}[]", f"{self.attr}[]", f"code ({self.table.name})", self.note, self.table)


@dataclass(frozen=True)
class Refined:
    """A code whose words are fewer than ours ⇄ our word: an extension tells those apart that share the code of `over`."""

    coarse: "Coded | Refined"
    fine: Coded
    over: str

    @property
    def attr(self) -> str:
        return self.coarse.attr

    def read(self, node: Raw, report: list[Problem]) -> Any:
        value = self.coarse.read(node, report)
        if value != self.over:
            return value
        finer = self.fine.read(node, report)
        return value if finer is ABSENT else finer

    def write(self, node: Raw, value: Any) -> None:
        is_fine = value in self.fine.table.words
        plain = self.over if is_fine else value
        if self.coarse.read(node, []) != plain:
            self.coarse.write(node, plain)
        self.fine.write(node, value if is_fine else ABSENT)

    def rows(self) -> Iterator[Row]:
        yield from self.coarse.rows()
        yield from self.fine.rows()


def has_coding(concepts: Any, system: str, code: str) -> bool:
    """Whether a CodeableConcept, or one of a list of them, has this coding. Never raises."""
    for concept in concepts if isinstance(concepts, list) else [concepts]:
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in codings if isinstance(codings, list) else ():
            if isinstance(coding, dict) and coding.get("code") == code and coding.get("system") == system:
                return True
    return False
