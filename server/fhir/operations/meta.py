"""`$meta`, `$meta-add`, `$meta-delete`: profiles, tags and security labels. http://hl7.org/fhir/R4/resource-operations.html#meta

Adding and taking away makes a new version of the resource, as any change does here; what changes nothing makes none.
"""

from collections.abc import Callable
from typing import Any

from adapter.fhir.resource import Raw, check_structure
from adapter.store.documents import Stored
from server.fhir import writes
from server.fhir.messages import Answer
from server.fhir.operations.call import Call, parameters

_SETS = ("profile", "security", "tag")


def show(call: Call) -> Answer:
    """The meta of a resource, its version and time of change included."""
    return _told(call.repository.read(call.type, call.target))


def add(call: Call) -> Answer:
    """The meta with what was given added to it; an equal label is there once."""
    return _changed(call, lambda held, given: [*held, *(item for item in given if not _among(item, held))])


def delete(call: Call) -> Answer:
    """The meta without what was given. Labels are equal by system and code, whatever their display."""
    return _changed(call, lambda held, given: [item for item in held if not _among(item, given)])


def _changed(call: Call, change: Callable[[list[Any], list[Any]], list[Any]]) -> Answer:
    given = call.inputs.one("meta")

    def plan() -> list[writes.Write]:
        stored = call.repository.read(call.type, call.target)
        meta: Raw = dict(stored.raw["meta"])
        for name in _SETS:
            items = change(meta.get(name, []), given.get(name, []))
            meta = {**meta, name: items} if items else {key: value for key, value in meta.items() if key != name}
        raw = {**stored.raw, "meta": meta}
        check_structure(raw)
        return [writes.Write(call.type, call.target, raw, stored.version)]

    [(_, stored)] = writes.settle(call.repository, plan)
    return _told(stored)


def _told(stored: Stored) -> Answer:
    return parameters(("return", "valueMeta", stored.raw["meta"]))


def _among(item: Any, items: list[Any]) -> bool:
    return any(_key(item) == _key(other) for other in items)


def _key(item: Any) -> Any:
    return (item.get("system"), item.get("code")) if isinstance(item, dict) else item
