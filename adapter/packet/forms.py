"""The forms in which a packet is told: the account of it, and what it holds as a searchset, as a transaction, or line by line.

http://hl7.org/fhir/R4/parameters.html, http://hl7.org/fhir/R4/bundle.html and http://hl7.org/fhir/uv/bulkdata/STU2/ (NDJSON)
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from adapter.clock import instant
from adapter.fhir.dates import BEGIN, END, Span
from adapter.fhir.resource import Raw, dumps, parse
from adapter.packet.packet import Packet
from adapter.packet.reach import named
from adapter.packet.transaction import transaction
from adapter.store.rows import Row

NDJSON = "ndjson"
# A Period has its end in it.
_LAST = timedelta(milliseconds=1)


def account(packet: Packet) -> Raw:
    """The packet's account as a Parameters resource: of whom it is, by which coverage, why it was allowed, and what is withheld."""
    told = [
        ("member", "valueReference", {"reference": packet.patient}),
        *(("coverage", "valueReference", {"reference": named(row)}) for row in packet.coverages),
        *(("period", "valuePeriod", _period(span)) for span in packet.periods),
        ("purpose", "valueCode", packet.purpose),
        ("asOf", "valueInstant", instant(packet.moment)),
    ]
    decisions = [
        [
            ("basis", "valueCode", ground.basis),
            ("consent", "valueReference", {"reference": ground.consent} if ground.consent else None),
            ("element", "valueString", ground.element),
            ("count", "valueInteger", count),
        ]
        for ground, count in packet.grounds.items()
    ]
    withheld = [
        [
            ("rule", "valueCode", each.rule),
            ("type", "valueCode", each.type),
            ("category", "valueString", each.category),
            ("element", "valueString", each.element),
            ("decided", "valueString", each.decided),
            ("count", "valueInteger", count),
        ]
        for each, count in packet.withheld.items()
    ]
    parts = [
        {"name": name, "part": _valued(part)} for name, several in (("decision", decisions), ("withheld", withheld)) for part in several
    ]
    return {"resourceType": "Parameters", "parameter": [*_valued(told), *parts]}


def searchset(packet: Packet, base: str) -> Raw:
    """The plans as matches and all else as included; `base` is the address of the FHIR endpoint that they are read from."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(packet.plans),
        "entry": [*_entries(packet.plans, base, "match"), *_entries(packet.others, base, "include")],
    }


BUNDLES: MappingProxyType[str, Callable[[Packet, str], Raw]] = MappingProxyType(
    {"searchset": searchset, "transaction": lambda packet, _: transaction(packet.rows)}
)
"""The forms that are Bundles: (packet, base) → Bundle."""
FORMS = (*BUNDLES, NDJSON)


def whole(packet: Packet, form: str, base: str) -> Raw:
    """The account with the packet in it, as a Bundle of this form."""
    told = account(packet)
    return {**told, "parameter": [*told["parameter"], {"name": "packet", "resource": BUNDLES[form](packet, base)}]}


def lines(packet: Packet) -> Iterator[str]:
    """The account, and each resource as it is stored: a line each."""
    yield dumps(account(packet))
    yield from (row.text for row in packet.rows)


def _entries(rows: tuple[Row, ...], base: str, mode: str) -> Iterator[Raw]:
    return ({"fullUrl": f"{base}/{named(row)}", "resource": parse(row.text), "search": {"mode": mode}} for row in rows)


def _valued(items: list[tuple[str, str, Any]]) -> list[Raw]:
    """Those that have a value."""
    return [{"name": name, key: value} for name, key, value in items if value]


def _period(span: Span) -> Raw:
    start, end = span
    found = {"start": instant(start)} if start > BEGIN else {}
    return found | ({"end": instant(end - _LAST)} if end < END else {})
