"""Choice elements such as `value[x]`: one type at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.resource import Raw
from adapter.mapping.rules import ABSENT, UNREADABLE, Problem, Row, Rule


@dataclass(frozen=True)
class OneOf:
    """One type of a choice element such as `occurrence[x]`: writing it removes its siblings."""

    base: str
    rule: Rule

    @property
    def attr(self) -> str:
        return self.rule.attr

    def read(self, node: Raw, report: list[Problem]) -> Any:
        return self.rule.read(node, report)

    def write(self, node: Raw, value: Any) -> None:
        if value is not ABSENT:
            mine = next(self.rule.rows()).path.partition(".")[0]
            clear_choice(node, self.base, keep=mine)
        self.rule.write(node, value)

    def rows(self) -> Iterator[Row]:
        return self.rule.rows()


def clear_choice(node: Raw, base: str, keep: str = "") -> None:
    """Remove the elements of a choice, and what stands beside them, all but one."""
    for name in [name for name in node if name.removeprefix("_").startswith(base)]:
        plain = name.removeprefix("_")
        if plain != keep and plain[len(base) : len(base) + 1].isupper():
            del node[name]


@dataclass(frozen=True)
class Choice:
    """A choice element ⇄ {kind, value}: `options` names the types understood, each with the rule that reads it as `value`."""

    base: str
    attr: str
    options: tuple[tuple[str, Rule], ...]
    note: str = ""

    def read(self, node: Raw, report: list[Problem]) -> Any:
        for kind, rule in self.options:
            value = rule.read(node, report)
            if value is not ABSENT:
                return value if value is UNREADABLE else {"kind": kind, "value": value}
        if any(name.startswith(self.base) and name[len(self.base) :][:1].isupper() for name in node):
            report.append(Problem(f"{self.base}[x]", "a type that is not mapped"))
            return UNREADABLE
        return ABSENT

    def write(self, node: Raw, value: Any) -> None:
        if value is ABSENT:
            clear_choice(node, self.base)
            return
        rule = dict(self.options).get(str(value.get("kind"))) if isinstance(value, dict) else None
        if rule is None:
            raise Invalid(f"{self.attr}: kind is one of {', '.join(kind for kind, _ in self.options)}.", expression=[f"{self.base}[x]"])
        clear_choice(node, self.base, keep=next(rule.rows()).path.partition(".")[0])
        rule.write(node, value.get("value", ABSENT))

    def rows(self) -> Iterator[Row]:
        yield Row(f"{self.base}[x]", self.attr, f"one of {', '.join(kind for kind, _ in self.options)}", self.note)
