"""A packet as a transaction that another server can carry out: the same packet twice makes nothing twice, a later one brings it up to date.

Each resource is written by a conditional update on the id that it has here, which it carries with it, as all that casebridge sends does
(adapter/sync/edge). What is referred to inside of the packet is referred to by the entries; what is outside is named by its identifier,
because servers refuse references that lead nowhere, and references to other servers.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from adapter.config import OWN_ID
from adapter.fhir import bundle
from adapter.fhir.references import split
from adapter.fhir.resource import Raw, parse
from adapter.packet.reach import named
from adapter.store.rows import Row
from adapter.sync.edge import Edge, own_id, own_search

_INSIDE = ("urn:", "#")
_URI = "urn:ietf:rfc:3986"


def transaction(rows: Iterable[Row]) -> Raw:
    """The transaction Bundle."""
    raws = {named(row): parse(row.text) for row in rows}
    names = {reference: uuid5(NAMESPACE_URL, reference).urn for reference in raws}
    return bundle.transaction(_entry(raw, names[reference], names) for reference, raw in raws.items())


def _entry(raw: Raw, full_url: str, names: Mapping[str, str]) -> Raw:
    type, id = raw["resourceType"], own_id(raw) or raw["id"]

    def outward(reference: str) -> str:
        parts = split(reference)
        return names.get(f"{parts[0]}/{parts[1]}", reference) if parts else reference

    body = _named_only(Edge.to_remote(raw, id, outward))
    condition = bundle.condition(own_search(type, id))
    return {"fullUrl": full_url, "resource": body, "request": {"method": "PUT", "url": f"{type}?{condition}"}}


def _named_only(value: Any) -> Any:
    """What is left where references that lead out of the packet only name what they mean."""
    if isinstance(value, list):
        return [_named_only(item) for item in value]
    if not isinstance(value, dict):
        return value
    text = value.get("reference")
    if not isinstance(text, str) or text.startswith(_INSIDE):
        return {name: _named_only(item) for name, item in value.items()}
    left = {name: item for name, item in value.items() if name not in ("reference", "_reference")}
    parts = split(text)
    meant = {"system": OWN_ID, "value": parts[1]} if parts else {"system": _URI, "value": text}
    return {**({"type": parts[0]} if parts else {}), "identifier": meant, **left}
