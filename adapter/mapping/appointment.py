"""Appointment ↔ Appointment: http://hl7.org/fhir/R4/appointment.html"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from adapter.errors import DuplicateItem, Invalid
from adapter.fhir.resource import Raw, copy
from adapter.mapping.codecs import boolean, instant, integer, moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, One, codes, refs
from adapter.mapping.rules import ABSENT, UNREADABLE, Codeable, Coded, Field, Fields, Problem, Ref, Row, coded
from adapter.mapping.shapes import OWN_CASE
from adapter.mapping.table import Mapping, ext
from adapter.mapping.words import has_coding

PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"

STATUS = table("appointment-status", "proposed pending booked arrived fulfilled cancelled noshow entered-in-error checked-in waitlist")
REQUIRED = table("participant-required", "required optional information-only")
ATTENDANCE = table("participation-status", "accepted declined tentative needs-action")

_SUBJECT = {"coding": [{"system": PARTICIPATION, "code": "SBJ", "display": "subject"}]}


def is_client(participant: Any) -> bool:
    """Whether a participant is the client: a Patient, or nobody yet in the client's place."""
    if not isinstance(participant, dict):
        return False
    actor = participant.get("actor")
    target = actor.get("reference") if isinstance(actor, dict) else None
    if isinstance(target, str):
        return "/Patient/" in f"/{target}"
    return has_coding(participant.get("type"), PARTICIPATION, "SBJ")


def _list(node: Raw, name: str) -> list[Any]:
    held = node.setdefault(name, [])
    if not isinstance(held, list):
        raise Invalid("A list is expected here.", expression=[name])
    return held


@dataclass(frozen=True)
class OfClient:
    """An element of the participant that is the client. An R4 appointment has no subject; several Patients are left as they are."""

    inner: Ref | Coded

    @property
    def attr(self) -> str:
        return self.inner.attr

    def _found(self, node: Raw) -> list[Raw]:
        held = node.get("participant")
        return [item for item in held if is_client(item)] if isinstance(held, list) else []

    def read(self, node: Raw, report: list[Problem]) -> Any:
        found = self._found(node)
        if not found:
            return ABSENT
        if len(found) > 1:
            report.append(Problem("participant", "several clients, where a record has one"))
            return UNREADABLE
        return self.inner.read(found[0], report)

    def write(self, node: Raw, value: Any) -> None:
        found = self._found(node)
        if len(found) > 1:
            raise DuplicateItem(f"{self.attr}: there are several clients, where a record has one.", expression=["participant"])
        if not found and value is ABSENT:
            return
        if not found:
            found = [{"type": [copy(_SUBJECT)]}]
            _list(node, "participant").extend(found)
        item = found[0]
        if value is ABSENT and not has_coding(item.get("type"), PARTICIPATION, "SBJ"):
            # Without its actor it would no longer be known for the client.
            _list(item, "type").append(copy(_SUBJECT))
        self.inner.write(item, value)
        if item == {"type": [_SUBJECT]}:
            node["participant"] = [each for each in node["participant"] if each is not item]
            if not node["participant"]:
                del node["participant"]

    def rows(self) -> Iterator[Row]:
        for row in self.inner.rows():
            yield replace(row, path=f"participant[actor=Patient].{row.path}")


class Others(Each):
    """The participants besides the client."""

    def _ours(self, item: Any) -> bool:
        return super()._ours(item) and not is_client(item)

    def wrap(self, value: Any) -> Fields:
        fields = super().wrap(value)
        if str(fields.get("actor", "")).startswith("Patient/"):
            raise Invalid(f"{self.attr}: the client is not among the others.", expression=[self.path])
        return fields


APPOINTMENT = Mapping(
    "appointment",
    "Appointment",
    (
        coded("status", "status", STATUS),
        Codeable("cancelationReason", "cancel_reason"),
        codes("serviceType", "service_types"),
        Field("description", "description"),
        Field("start", "start", instant),
        Field("end", "end", instant),
        Field("minutesDuration", "minutes", integer),
        Field("created", "created_at", moment),
        Field("comment", "comment"),
        refs("basedOn", "services"),
        OWN_CASE,
        OfClient(Ref("actor", "client")),
        OfClient(coded("status", "client_attendance", ATTENDANCE)),
        Others(
            "participant",
            "participants",
            (
                Ref("actor", "actor"),
                One("type", "role", (Codeable("", "value"),)),
                coded("required", "required", REQUIRED),
                coded("status", "status", ATTENDANCE),
            ),
            key=("actor", "role"),
            partial=True,
        ),
        ext("accompanied", "accompanied", boolean, "the case manager goes along"),
        ext("reminder-sent-at", "reminder_sent_at", moment),
    ),
)

MAPPINGS = (APPOINTMENT,)
