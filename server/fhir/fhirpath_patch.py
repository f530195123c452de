"""FHIRPath Patch: a Parameters resource of operations on elements that paths name. http://hl7.org/fhir/R4/fhirpatch.html"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from adapter.errors import Invalid, NotApplicable
from adapter.fhir.resource import Raw, copy
from adapter.fhir.structure import Element, parts
from server.fhir import fhirpath

_OPERATIONS_AT_MOST = 1000


@dataclass(frozen=True)
class _Operation:
    number: int
    path: fhirpath.Path
    members: Raw
    """Its parts by name."""

    def fails(self, reason: str) -> NotApplicable:
        return NotApplicable(f"Operation {self.number} of the patch: {reason}.")

    def broken(self, reason: str) -> Invalid:
        return Invalid(f"Operation {self.number} of the patch: {reason}.", expression=[f"Parameters.parameter[{self.number}]"])

    def number_of(self, name: str) -> int:
        value = self.members[name].get("valueInteger") if name in self.members else None
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.broken(f"it needs the part {name} with a valueInteger that is not negative")
        return value

    def collection(self, whole: fhirpath.Whole) -> tuple[fhirpath.Node, Element]:
        """The list that the path names, and what has it."""
        if self.path.last is None:
            raise self.broken("its path must end in the name of a list")
        owners = self.path.owners(whole)
        if len(owners) != 1:
            raise self.fails("its path names no list, or several")
        element = _element(owners[0], self.path.last)
        if element is None or not element.many:
            raise self.broken("what its path names is not a list")
        return owners[0], element

    def one(self, whole: fhirpath.Whole) -> fhirpath.Node:
        nodes = self.path.nodes(whole)
        if len(nodes) != 1:
            raise self.fails("its path names nothing" if not nodes else "its path names several elements")
        return nodes[0]

    @property
    def value(self) -> Raw:
        """The part `value`."""
        if "value" not in self.members:
            raise self.broken("it needs the part value")
        return self.members["value"]  # type: ignore[no-any-return]

    def given(self, part: Raw, element: Element | None, choice: str, owner: Raw, model: Any) -> tuple[Element, Any, Any]:
        """(element, value, sibling) that a part gives; where no element is named, that of the choice which has the value's type."""
        if "resource" in part and element:
            return element, copy(part["resource"]), None
        named = next((name for name in part if name.startswith("value")), None)
        sibling = next((name for name in part if name.startswith("_value")), None)
        if element is None:
            suffix = (named or sibling or "").lstrip("_").removeprefix("value")
            known = parts(model, owner)
            element = known.get(f"{choice}{suffix}")
            if element is None or element.choice != choice:
                raise self.broken("the element it names is not of its type, or not of its value's")
        if named or sibling:
            return element, copy(part.get(named or "")), copy(part.get(sibling or ""))
        inner = part.get("part")
        if not isinstance(inner, list) or element.model is None:
            raise self.broken("its value is not there")
        return element, self._built(inner, element), None

    def _built(self, inner: Sequence[Any], element: Element) -> Raw:
        """The object that parts describe, for elements whose type has no name of its own."""
        found: Raw = {}
        for part in inner:
            name = part.get("name") if isinstance(part, dict) else None
            if not isinstance(name, str):
                raise self.broken("a part of its value has no name")
            known = parts(element.model, {})
            target, value, sibling = self.given(part, known.get(name), name, {}, element.model)
            _write(found, target, [*fhirpath.items(found, target), (value, sibling)])
        return found


def change(parameters: Raw) -> Callable[[Raw], Raw]:
    """The function that makes the patched copy of a resource. Raises Invalid for what is no patch.

    The function raises NotApplicable where a path does not name what its operation needs; nothing is changed then.
    """
    given = parameters.get("parameter") or []
    if not isinstance(given, list) or len(given) > _OPERATIONS_AT_MOST:
        raise Invalid(f"A FHIRPath Patch is a list of {_OPERATIONS_AT_MOST} operations at most.", expression=["Parameters.parameter"])
    work = [_parsed(number, parameter) for number, parameter in enumerate(given)]

    def patched(raw: Raw) -> Raw:
        tree: Raw = copy(raw)
        whole = fhirpath.root(tree)
        for operation, apply in work:
            apply(operation, whole)
        return tree

    return patched


def _parsed(number: int, parameter: Any) -> tuple[_Operation, Callable[[_Operation, fhirpath.Whole], None]]:
    where = [f"Parameters.parameter[{number}]"]
    given = parameter.get("part") if isinstance(parameter, dict) and parameter.get("name") == "operation" else None
    if not isinstance(given, list) or not all(isinstance(part, dict) and isinstance(part.get("name"), str) for part in given):
        raise Invalid("A FHIRPath Patch has parameters named operation only, each with named parts.", expression=where)
    members = {part["name"]: part for part in given}
    kind = _text(members, "type", "valueCode")
    path = _text(members, "path", "valueString")
    if kind not in _KINDS or path is None:
        raise Invalid(f"An operation needs a type, one of {', '.join(_KINDS)}, and a path.", expression=where)
    return _Operation(number, fhirpath.parse(path), members), _KINDS[kind]


def _text(members: Raw, name: str, *keys: str) -> str | None:
    value = next((members[name][key] for key in (*keys, "valueString", "valueCode") if key in members.get(name, {})), None)
    return value if isinstance(value, str) and value else None


def _add(operation: _Operation, whole: fhirpath.Whole) -> None:
    owner, name = operation.one(whole), _text(operation.members, "name")
    if name is None:
        raise operation.broken("it needs the part name")
    if not isinstance(owner.value, dict):
        raise operation.fails("its path names a primitive, which has no elements")
    model = owner.element.model if owner.element else None
    element, value, sibling = operation.given(operation.value, _element(owner, name), name, owner.value, model)
    there = fhirpath.items(owner.value, element) if element.choice is None else [(n.value, n.sibling) for n in owner.children(name)]
    if there and not element.many:
        raise operation.fails("the element is there already")
    _write(owner.value, element, [*there, (value, sibling)])


def _insert(operation: _Operation, whole: fhirpath.Whole) -> None:
    owner, element = operation.collection(whole)
    index, there = operation.number_of("index"), fhirpath.items(owner.value, element)
    if index > len(there):
        raise operation.fails("its index is behind the end of the list")
    _, value, sibling = operation.given(operation.value, element, element.name, owner.value, None)
    _write(owner.value, element, [*there[:index], (value, sibling), *there[index:]])


def _delete(operation: _Operation, whole: fhirpath.Whole) -> None:
    nodes = operation.path.nodes(whole)
    if len(nodes) > 1:
        raise operation.fails("its path names several elements")
    for node in nodes:
        _without(operation, node)


def _without(operation: _Operation, node: fhirpath.Node) -> None:
    owner, element = _place(operation, node)
    there = fhirpath.items(owner.value, element)
    _write(owner.value, element, [*there[: node.index], *there[node.index + 1 :]])
    # FHIR has no empty objects: what loses its last element goes too.
    if not owner.value:
        _without(operation, owner)


def _replace(operation: _Operation, whole: fhirpath.Whole) -> None:
    node = operation.one(whole)
    owner, element = _place(operation, node)
    model = owner.element.model if owner.element else None
    target, value, sibling = operation.given(operation.value, None if element.choice else element, element.choice or "", owner.value, model)
    there = fhirpath.items(owner.value, element)
    if target != element:
        _write(owner.value, element, [])
    _write(owner.value, target, [*there[: node.index], (value, sibling), *there[node.index + 1 :]])


def _move(operation: _Operation, whole: fhirpath.Whole) -> None:
    owner, element = operation.collection(whole)
    source, destination = operation.number_of("source"), operation.number_of("destination")
    there = fhirpath.items(owner.value, element)
    if max(source, destination) >= len(there):
        raise operation.fails("its source or destination is behind the end of the list")
    there.insert(destination, there.pop(source))
    _write(owner.value, element, there)


_KINDS = {"add": _add, "insert": _insert, "delete": _delete, "replace": _replace, "move": _move}


def _place(operation: _Operation, node: fhirpath.Node) -> tuple[fhirpath.Node, Element]:
    if node.parent is None or node.element is None:
        raise operation.fails("its path names the whole resource")
    return node.parent, node.element


def _element(owner: fhirpath.Node, name: str) -> Element | None:
    known = parts(owner.element.model if owner.element else None, owner.value) if isinstance(owner.value, dict) else {}
    return known.get(name)


def _write(owner: Raw, element: Element, items: Sequence[tuple[Any, Any]]) -> None:
    """Put (value, sibling) pairs under an element's names; those that say nothing are left out."""
    for name, values in ((element.name, [value for value, _ in items]), (f"_{element.name}", [sibling for _, sibling in items])):
        if all(value is None for value in values):
            owner.pop(name, None)
        else:
            owner[name] = values if element.many else values[0]
