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
    for name in [name for name in node if is_choice(name.removeprefix("_"), base)]:
        if name.removeprefix("_") != keep:
            del node[name]


def is_choice(name: str, base: str) -> bool:
    """Whether an element is one type of the choice, as `valueQuantity` is of `value`."""
    return name.startswith(base) and name[len(base) : len(base) + 1].isupper()


@dataclass(frozen=True)
class Choice:
    """A choice element ⇄ {kind: value}: each inner rule's attribute is the kind it stands for."""

    base: str
    attr: str
    options: tuple[Rule, ...]
    note: str = ""

    def read(self, node: Raw, report: list[Problem]) -> Any:
        for rule in self.options:
            value = rule.read(node, report)
            if value is not ABSENT:
                return value if value is UNREADABLE else {rule.attr: value}
        if any(is_choice(name, self.base) for name in node):
            report.append(Problem(f"{self.base}[x]", "a type that is not mapped"))
            return UNREADABLE
        return ABSENT

    def write(self, node: Raw, value: Any) -> None:
        if value is ABSENT:
            clear_choice(node, self.base)
            return
        chosen = [rule for rule in self.options if isinstance(value, dict) and rule.attr in value]
        if len(chosen) != 1:
            kinds = ", ".join(rule.attr for rule in self.options)
            raise Invalid(f"{self.attr}: exactly one of {kinds} is expected.", expression=[f"{self.base}[x]"])
        clear_choice(node, self.base, keep=next(chosen[0].rows()).path.partition(".")[0])
        chosen[0].write(node, value[chosen[0].attr])

    def rows(self) -> Iterator[Row]:
        yield Row(f"{self.base}[x]", self.attr, f"one of {', '.join(rule.attr for rule in self.options)}", self.note)
