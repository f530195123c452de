"""The part of FHIRPath by which a patch names an element: paths, indexes, where() and a few more, exact or refused.

Every node knows where it stands, which a value alone does not tell. http://hl7.org/fhirpath/N1/
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.resource import Raw
from adapter.fhir.structure import Element, model_of, parts
from server.fhir.sizes import Effort

_TOKEN = re.compile(
    r"\s*(?:(?P<string>'(?:[^'\\]|\\.)*')|(?P<number>\d+(?:\.\d+)?)|(?P<name>\$this|`[^`]+`|[A-Za-z_]\w*)|(?P<mark>!=|[=.()\[\]]))"
)
_ESCAPE = re.compile(r"\\(.)")
_LENGTH_AT_MOST, _DEPTH_AT_MOST = 1000, 10
# A path may begin anew at the whole resource inside of each where(), so that of n names and d of those n to the power of d are looked at.
_LOOKED_AT_AT_MOST = 50_000
_FUNCTIONS = ("where", "exists", "empty", "not", "first", "last", "ofType", "extension")


@dataclass(frozen=True, eq=False)
class Node:
    """A value and where it stands: item `index` of what is under `name` in `parent`. A literal has no parent."""

    value: Any
    element: Element | None = None
    parent: "Node | None" = None
    name: str = ""
    index: int = 0
    sibling: Any = None
    """What stands beside a primitive under `_name`."""

    def children(self, name: str) -> list["Node"]:
        """The elements of this name; `value` finds any of `value[x]`."""
        if not isinstance(self.value, dict):
            return []
        known = parts(self.element.model if self.element else None, self.value)
        found = known.get(name)
        several = [found] if found else [element for element in known.values() if element.choice == name]
        if not several:
            raise Invalid("The path names an element that its type does not have.")
        return [
            Node(value, element, self, element.name, index, sibling)
            for element in several
            for index, (value, sibling) in enumerate(items(self.value, element))
        ]


@dataclass(frozen=True, eq=False)
class Whole(Node):
    """A resource, with the effort that is left to look at its elements by however many paths."""

    effort: Effort = field(default_factory=lambda: Effort(_LOOKED_AT_AT_MOST, "To follow these paths"))


Step = Callable[[Sequence[Node], Whole], Sequence[Node]]
"""From what a path has found so far, and the whole resource, to what it finds then."""


@dataclass(frozen=True)
class Path:
    """A parsed path. `last` is the name it ends in, where it ends in a bare name: the path of a whole collection."""

    steps: tuple[Step, ...] = ()
    last: str | None = None

    def nodes(self, whole: Whole) -> list[Node]:
        """What the path finds. Raises Invalid, and TooCostly where that takes looking at too much."""
        return [*_walk(self.steps, [whole], whole)]

    def owners(self, whole: Whole) -> list[Node]:
        """What has the collection that the path names."""
        return [*_walk(self.steps[:-1], [whole], whole)]


def root(resource: Raw) -> Whole:
    """The resource as a node. Raises Invalid for a type whose elements are not known here."""
    model = model_of(resource["resourceType"])
    if model is None:
        raise Invalid("FHIRPath Patch is not done for this resource type; JSON Patch is.")
    return Whole(resource, Element(resource["resourceType"], resource["resourceType"], False, None, model))


def items(owner: Raw, element: Element) -> list[tuple[Any, Any]]:
    """(value, sibling) of each item of an element; a single one is a list of one."""
    value, sibling = owner.get(element.name), owner.get(f"_{element.name}")
    if not element.many:
        return [] if value is None and sibling is None else [(value, sibling)]
    values = value if isinstance(value, list) else []
    siblings = sibling if isinstance(sibling, list) else []
    length = max(len(values), len(siblings))
    return [*zip(values + [None] * (length - len(values)), siblings + [None] * (length - len(siblings)), strict=True)]


def parse(text: str) -> Path:
    """The path that a text means. Raises Invalid for what is no path or uses what is not served here."""
    if len(text) > _LENGTH_AT_MOST:
        raise Invalid(f"A path may have {_LENGTH_AT_MOST} characters at most.")
    parser = _Parser(text)
    path = parser.path(0)
    if parser.kind != "end":
        raise parser.refused()
    return path


def _walk(steps: Sequence[Step], nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    for step in steps:
        whole.effort.spend(1 + len(nodes))
        nodes = step(nodes, whole)
    return nodes


class _Parser:
    """Recursive descent over the tokens; each rule returns what it read as steps."""

    def __init__(self, text: str) -> None:
        self._text, self._place = text, 0
        self.kind, self._value = "", ""
        self._next()

    def refused(self) -> Invalid:
        return Invalid(f"The path is not understood. It may have names, [number], and {', '.join(f'{name}()' for name in _FUNCTIONS)}.")

    def _next(self) -> str:
        """The current token's text; the next becomes the current."""
        before = self._value
        found = _TOKEN.match(self._text, self._place)
        if found is None:
            if self._text[self._place :].strip():
                raise self.refused()
            self.kind, self._value = "end", ""
        else:
            self._place, self.kind, self._value = found.end(), str(found.lastgroup), found[str(found.lastgroup)]
        return before

    def _take(self, mark: str) -> bool:
        if self.kind == "mark" and self._value == mark:
            self._next()
            return True
        return False

    def _need(self, mark: str) -> None:
        if not self._take(mark):
            raise self.refused()

    def _name(self) -> str:
        if self.kind != "name":
            raise self.refused()
        return self._next().strip("`")

    def path(self, depth: int) -> Path:
        first = self._name()
        last: str | None = first
        if first == "$this":
            steps: list[Step] = []
            last = None
        elif self._value == "(" and self.kind == "mark":
            steps, last = [self._function(first, depth)], None
        elif first[0].isupper():
            steps, last = [partial(_typed, first)], None
        else:
            steps = [partial(_named, first)]
        while True:
            if self._take("."):
                last = self._name()
                if self.kind == "mark" and self._value == "(":
                    steps.append(self._function(last, depth))
                    last = None
                else:
                    steps.append(partial(_named, last))
            elif self._take("["):
                if self.kind != "number" or not self._value.isdigit() or len(self._value) > 9:
                    raise self.refused()
                steps.append(partial(_indexed, int(self._next())))
                last = None
                self._need("]")
            else:
                return Path(tuple(steps), last)

    def _function(self, name: str, depth: int) -> Step:
        if name not in _FUNCTIONS:
            raise self.refused()
        self._need("(")
        argument = None
        if not self._take(")"):
            argument = self._name() if name == "ofType" else self._either(depth + 1)
            self._need(")")
        if (argument is None) != (name not in ("where", "ofType", "extension")) and name != "exists":
            raise self.refused()
        return partial(_called, name, argument)

    def _either(self, depth: int) -> Step:
        if depth > _DEPTH_AT_MOST:
            raise Invalid("The path is nested too deep.")
        found = [self._all(depth)]
        while self.kind == "name" and self._value == "or":
            self._next()
            found.append(self._all(depth))
        return found[0] if len(found) == 1 else partial(_any, found)

    def _all(self, depth: int) -> Step:
        found = [self._comparison(depth)]
        while self.kind == "name" and self._value == "and":
            self._next()
            found.append(self._comparison(depth))
        return found[0] if len(found) == 1 else partial(_every, found)

    def _comparison(self, depth: int) -> Step:
        left = self._term(depth)
        if self.kind == "mark" and self._value in ("=", "!="):
            same = self._next() == "="
            return partial(_compared, left, self._term(depth), same)
        return left

    def _term(self, depth: int) -> Step:
        if self._take("("):
            inner = self._either(depth + 1)
            self._need(")")
            return inner
        if self.kind == "string":
            return partial(_literal, _ESCAPE.sub(r"\1", self._next()[1:-1]))
        if self.kind == "number":
            text = self._next()
            return partial(_literal, Decimal(text) if "." in text else int(text))
        if self.kind == "name" and self._value in ("true", "false"):
            return partial(_literal, self._next() == "true")
        return partial(_walk, self.path(depth).steps)


def _named(name: str, nodes: Sequence[Node], _whole: Whole) -> Sequence[Node]:
    return [child for node in nodes for child in node.children(name)]


def _typed(name: str, _nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    """A type's name at the start of a path is the resource itself."""
    if name not in (whole.value["resourceType"], "Resource", "DomainResource"):
        raise Invalid("The path begins with another resource type.")
    return [whole]


def _indexed(index: int, nodes: Sequence[Node], _whole: Whole) -> Sequence[Node]:
    return nodes[index : index + 1]


def _literal(value: Any, _nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    whole.effort.spend(1)
    return [Node(value)]


def _called(name: str, argument: Any, nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    if name == "where":
        return [node for node in nodes if _true(argument([node], whole))]
    if name == "exists":
        return [Node(any(argument is None or _true(argument([node], whole)) for node in nodes))]
    if name == "empty":
        return [Node(not nodes)]
    if name == "not":
        return [Node(not _true(nodes))] if nodes else []
    if name == "ofType":
        return [node for node in nodes if node.element and node.element.kind.lower() == {"boolean": "bool"}.get(argument, argument).lower()]
    if name == "extension":
        urls = [url.value for url in argument(nodes, whole)]
        extensions = [child for node in nodes for child in node.children("extension")]
        return [child for child in extensions if isinstance(child.value, dict) and child.value.get("url") in urls]
    return nodes[:1] if name == "first" else nodes[-1:]


def _any(several: Sequence[Step], nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    return [Node(any(_true(step(nodes, whole)) for step in several))]


def _every(several: Sequence[Step], nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    return [Node(all(_true(step(nodes, whole)) for step in several))]


def _compared(left: Step, right: Step, same: bool, nodes: Sequence[Node], whole: Whole) -> Sequence[Node]:
    first, second = left(nodes, whole), right(nodes, whole)
    if not first or not second:
        return []
    equal = len(first) == len(second) and all(_equal(a.value, b.value) for a, b in zip(first, second, strict=True))
    return [Node(equal is same)]


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _true(nodes: Sequence[Node]) -> bool:
    """FHIRPath's singleton evaluation: one value that is not a boolean counts as true."""
    return bool(nodes) and nodes[0].value is not False
