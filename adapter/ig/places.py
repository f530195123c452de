"""Where our extensions stand and what is in them, read from the tables of the mappings."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

from adapter.cases.fields import Items, Ref
from adapter.cases.registry import RECORDS
from adapter.config import EXT
from adapter.fhir.elements import Step, parse_path
from adapter.mapping.document import rows
from adapter.mapping.registry import MAPPINGS
from adapter.mapping.rules import Row
from adapter.mapping.table import Mapping


@dataclass
class Extension:
    """One extension, or a part of one. It has a value of one type, or parts."""

    name: str
    contexts: dict[str, None] = field(default_factory=dict)
    """Element paths on which it stands, such as `CarePlan.supportingInfo`; of a part, those where the extension has this part."""
    required: set[str] = field(default_factory=set)
    """The contexts in which a part must be there."""
    many: bool = False
    type: str = ""
    """FHIR's type of its value, `` where it has parts."""
    codes: str = ""
    """The name of our code system, where its value is of one."""
    targets: set[str] = field(default_factory=set)
    """What a reference may be to; none: anything."""
    parts: dict[str, "Extension"] = field(default_factory=dict)
    says: dict[str, None] = field(default_factory=dict)
    """What it is, in a sentence for each thing that it is."""

    @property
    def description(self) -> str:
        """What it is, as one text."""
        return " ".join(self.says) or " ".join(part.description for part in self.parts.values())


@cache
def extensions() -> MappingProxyType[str, Extension]:
    """Our extensions by name: the last part of their url."""
    found: dict[str, Extension] = {}
    for mapping in MAPPINGS:
        for row in rows(mapping):
            _add(found, mapping, row)
        for constant in mapping.const.get("extension", ()):  # type: ignore[attr-defined]
            _place(found, constant["url"].removeprefix(f"{EXT}/"), mapping.type)
    return MappingProxyType(dict(sorted(found.items())))


def _place(found: dict[str, Extension], name: str, context: str) -> Extension:
    extension = found.setdefault(name, Extension(name))
    extension.contexts[context] = None
    return extension


def _is_ours(step: Step) -> bool:
    return step.name == "extension" and bool(step.values) and str(step.values[0]).startswith(f"{EXT}/")


def _add(found: dict[str, Extension], mapping: Mapping, row: Row) -> None:
    steps = parse_path(row.path)
    start = next((place for place, step in enumerate(steps) if _is_ours(step)), None)
    if start is None or row.attr.startswith("("):
        return
    context = ".".join([mapping.type, *(step.name for step in steps[:start])])
    chain = [str(step.values[0]).rpartition("/")[2] for step in steps[start:] if step.name == "extension"]
    value = next((step.name.removeprefix("value") for step in steps[start:] if step.name != "extension"), "")
    extension = _place(found, chain[0], context)
    for part in chain[1:]:
        extension = _place(extension.parts, part, context)
    attr, kept = field_of(mapping.concept, row.attr)
    # Each list that the path goes through before the extension has a mark in the attribute as well.
    elsewhere = len(chain) == 1 and attr.count("[]") <= sum(bool(step.values) for step in steps[:start])
    extension.many = extension.many or (attr.endswith("[]") and not elsewhere)
    extension.says |= dict.fromkeys(_said(mapping.concept, attr, kept, row.note))
    if value:
        extension.type = fhir_type(value)
    if row.codes:
        extension.codes = row.codes.name
    leaf = kept.field if isinstance(kept, Items) else kept
    if isinstance(leaf, Ref):
        extension.targets |= leaf.types
    if kept is not None and kept.required:
        extension.required.add(context)


def fhir_type(element: str) -> str:
    """The type in a choice element's name, with its capital, as FHIR writes it: `DateTime` is dateTime, `Period` is Period."""
    primitives = ("Code", "String", "Boolean", "Integer", "Decimal", "Date", "DateTime", "Instant", "Url", "Uri", "Time")
    return element[0].lower() + element[1:] if element in primitives else element


def field_of(concept: str, attr: str) -> tuple[str, Any]:
    """A row's attribute as the record names it, and the record's field; None where it is not a field of its own."""
    kept = RECORDS[concept].field(attr.replace("[]", ""))
    if kept is None and attr.endswith(".value"):
        attr = attr.removesuffix(".value")
        kept = RECORDS[concept].field(attr.replace("[]", ""))
    return attr, kept


def _said(concept: str, attr: str, kept: Any, note: str) -> Iterator[str]:
    leaf = kept.field if isinstance(kept, Items) else kept
    group = getattr(leaf, "document_type", None)
    own = (group.__doc__ or "").partition("\n\n")[0].strip() if group and group.__module__.rpartition(".")[2] != "values" else ""
    words = attr.replace("[]", "").replace(".", ": ").replace("_", " ")
    yield own or f"{concept.replace('_', ' ').capitalize()}: {words}{f' ({note})' if note else ''}."
