"""`$payer-packet`: a member's plans and all that they refer to, with why the caller may have it and what is withheld: docs/packet.md."""

from collections.abc import Iterator
from typing import Any

from adapter.errors import Invalid
from adapter.fhir.dates import BEGIN, END, span
from adapter.fhir.manifest import NDJSON
from adapter.fhir.references import split
from adapter.fhir.resource import check_structure, dumps
from adapter.packet import forms, member
from adapter.packet.packet import Asked, Packet, packet
from adapter.packet.reach import named
from server.errors import MethodNotAllowed
from server.fhir.messages import Answer
from server.fhir.operations.call import Call
from server.reply import Stream

_IDENTITY = ("MemberPatient", "CoverageToMatch")


def run(call: Call) -> Answer:
    """The packet, as a Parameters resource with a Bundle in it, or line by line.

    Raises Invalid for what is malformed, NotApplicable (422) for nobody and for a time outside of the cover, Forbidden for a purpose that
    is not the caller's.
    """
    if call.request.method != "POST":
        raise MethodNotAllowed("Members are named in a body, by POST: an address may be written down anywhere.", allowed=["POST"])
    form = call.inputs.one("form") or "searchset"
    if form not in forms.FORMS:
        raise Invalid(f"form is {', '.join(forms.FORMS)}.", expression=["form"])
    start, end = _bounds(call.inputs.one("period"))
    made = packet(call.repository, call.request.sight, Asked(_member(call), start, end, call.inputs.one("purpose")))
    told = [named(row) for row in made.rows]
    if form == forms.NDJSON:
        return Answer(200, headers={"Content-Type": NDJSON}, stream=Stream(_bytes(made), None), tells=told, purpose=made.purpose)
    return Answer(200, dumps(forms.whole(made, form, call.request.base)), tells=told, purpose=made.purpose)


def _member(call: Call) -> str:
    """The id of whom the caller names, by an identity or by a reference."""
    reference = call.inputs.one("patient")
    patient, coverage = map(call.inputs.one, _IDENTITY)
    if (reference is None) == (patient is None) or (patient is None) != (coverage is None):
        raise Invalid("A member is named by MemberPatient and CoverageToMatch, or by patient.", expression=[*_IDENTITY, "patient"])
    if reference is not None:
        parts = split(str(reference.get("reference")))
        if parts is None or parts[0] != "Patient":
            raise Invalid("patient is a reference such as Patient/1.", expression=["patient"])
        return parts[1]
    for given in (patient, coverage):
        check_structure(given)
    return member.of_identity(call.repository, patient, coverage)


def _bounds(period: dict[str, Any] | None) -> Any:
    """From when to when, the end being the first moment behind it."""
    given = period or {}
    low, high = (span(given[name]) if name in given else (BEGIN, END) for name in ("start", "end"))
    if low is None or high is None or low[0] >= high[1]:
        raise Invalid("A period has a start before its end, as dates or times.", expression=["period"])
    return low[0], high[1]


def _bytes(made: Packet) -> Iterator[bytes]:
    return (f"{line}\n".encode() for line in forms.lines(made))
