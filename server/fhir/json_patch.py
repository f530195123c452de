"""JSON Patch, with Decimals kept as they are written. http://www.rfc-editor.org/rfc/rfc6902"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from adapter.errors import Invalid, NotApplicable
from adapter.fhir.resource import Raw, copy
from server.fhir.sizes import Effort

# A copy into what is copied doubles it, and what is copied often fills the memory as well.
_OPERATIONS_AT_MOST = 1000
_COPIED_AT_MOST = 100_000
_MEMBERS = {
    "add": ("path", "value"),
    "remove": ("path",),
    "replace": ("path", "value"),
    "move": ("from", "path"),
    "copy": ("from", "path"),
    "test": ("path", "value"),
}


def change(operations: Any) -> Callable[[Raw], Raw]:
    """The function that makes the patched copy of a resource. Raises Invalid for what is no patch.

    The function raises NotApplicable where an operation does not fit the resource or a test fails, and Invalid where it nests values deeper
    than can be walked; nothing is changed then.
    """
    if not isinstance(operations, list) or not all(isinstance(operation, dict) for operation in operations):
        raise Invalid("A JSON Patch is a list of operations.")
    if len(operations) > _OPERATIONS_AT_MOST:
        raise Invalid(f"A JSON Patch may have {_OPERATIONS_AT_MOST} operations at most.")
    for number, operation in enumerate(operations):
        _check(number, operation)

    def patched(raw: Raw) -> Raw:
        tree: list[Any] = [copy(raw)]
        copying = Effort(_COPIED_AT_MOST, "The copying of this patch")
        try:
            for number, operation in enumerate(operations):
                _apply(tree, operation, number, copying)
        except RecursionError:
            # A copy into what is copied doubles how deep it is: a dozen of them are deeper than Python can walk.
            raise Invalid("What the patch leaves is nested too deep.") from None
        if not isinstance(tree[0], dict):
            raise NotApplicable("What the patch leaves is not a resource.")
        return tree[0]

    return patched


def _check(number: int, operation: Raw) -> None:
    kind = operation.get("op")
    if not isinstance(kind, str) or kind not in _MEMBERS:
        raise Invalid(f"Operation {number} of the patch needs an op, one of {', '.join(_MEMBERS)}.")
    for name in _MEMBERS[kind]:
        if name not in operation:
            raise Invalid(f"Operation {number} of the patch, {kind}, needs a {name}.")
        if name != "value" and not _is_pointer(operation[name]):
            raise Invalid(f"The {name} of operation {number} of the patch is not a JSON Pointer.")


def _is_pointer(value: Any) -> bool:
    return isinstance(value, str) and (not value or value[0] == "/")


def _apply(tree: list[Any], operation: Raw, number: int, copying: Effort) -> None:
    def fails(reason: str) -> NotApplicable:
        return NotApplicable(f"Operation {number} of the patch, {operation['op']}: {reason}.")

    kind, path = operation["op"], _steps(operation["path"])
    if kind == "test":
        if not _equal(_get(tree, path, fails), operation["value"]):
            raise fails("the value is another")
    elif kind == "add":
        _add(tree, path, copy(operation["value"]), fails)
    elif kind == "replace":
        parent, key = _parent(tree, path, fails)
        parent[_existing(parent, key, fails)] = copy(operation["value"])
    elif kind == "remove":
        _remove(tree, path, fails)
    else:
        source = _steps(operation["from"])
        value = _get(tree, source, fails)
        if kind == "copy":
            if not copying.takes(_size(value)):
                raise fails("it copies too much")
            _add(tree, path, copy(value), fails)
        elif path[: len(source)] != source:
            _remove(tree, source, fails)
            _add(tree, path, value, fails)
        elif path != source:
            raise fails("a value cannot move into itself")


_Fails = Callable[[str], NotApplicable]


def _steps(pointer: str) -> tuple[str, ...]:
    """The steps from the list that holds the whole resource as its one item."""
    return ("0", *(step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]))


def _get(value: Any, path: Sequence[str], fails: _Fails) -> Any:
    for step in path:
        value = value[_existing(value, step, fails)]
    return value


def _parent(tree: list[Any], path: Sequence[str], fails: _Fails) -> tuple[Any, str]:
    return _get(tree, path[:-1], fails), path[-1]


def _existing(parent: Any, step: str, fails: _Fails) -> Any:
    """The step as a key of `parent` that is there."""
    if isinstance(parent, dict) and step in parent:
        return step
    if isinstance(parent, list) and (index := _index(step)) is not None and index < len(parent):
        return index
    raise fails("the path leads to nothing")


def _index(step: str) -> int | None:
    well_formed = step.isascii() and step.isdigit() and len(step) < 10 and (step == "0" or step[0] != "0")
    return int(step) if well_formed else None


def _add(tree: list[Any], path: Sequence[str], value: Any, fails: _Fails) -> None:
    if len(path) == 1:
        tree[0] = value
        return
    parent, key = _parent(tree, path, fails)
    if isinstance(parent, dict):
        parent[key] = value
    elif isinstance(parent, list):
        index = len(parent) if key == "-" else _index(key)
        if index is None or index > len(parent):
            raise fails("the list has no such place")
        parent.insert(index, value)
    else:
        raise fails("the path leads to nothing")


def _remove(tree: list[Any], path: Sequence[str], fails: _Fails) -> None:
    if len(path) == 1:
        raise fails("the resource itself cannot be removed")
    parent, key = _parent(tree, path, fails)
    del parent[_existing(parent, key, fails)]


def _equal(left: Any, right: Any) -> bool:
    """Equality of JSON values: numbers by what they amount to, and true is not 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return isinstance(left, bool) == isinstance(right, bool) and left == right
    return type(left) is type(right) and bool(left == right)


def _size(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + sum(map(_size, value.values()))
    return 1 + sum(map(_size, value)) if isinstance(value, list) else 1
