"""What is done with a planned service: found necessary or not, moved on, given its sessions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid5

from adapter.cases.consequences import Effect
from adapter.cases.facts import moment
from adapter.cases.record import Fields
from adapter.cases.sessions import Span, sessions
from adapter.casework.desk import Desk
from adapter.casework.records import Kept, amend, put_together, read
from adapter.clock import instant
from adapter.errors import NotNow, StaleRecord
from adapter.store.filters import KEY

_NAMESPACE = UUID("5b0f3c52-9d4e-5d6f-9c1c-2a7f7d9f7a10")
UNDETERMINED = "undetermined"
"""What is determined of a service that nobody has decided on."""
_FREE = ("cancelled", "noshow", "entered_in_error")
_OVER = ("completed", "cancelled", "stopped", "entered_in_error")


def ordered(proposal: str) -> str:
    """The reference of the order that a proposal becomes: one, however often it is chosen."""
    return f"ServiceRequest/{uuid5(_NAMESPACE, proposal)}"


def decide(desk: Desk, id: str, determination: str, rationale: str, *, self_funded: bool | None = None) -> Kept:
    """The service with whether it is medically needed, as the actor decides now (P-09); `self_funded`: the client pays for it."""

    def decided(service: Kept) -> Fields:
        word = _word(desk, determination, rationale)
        return {**service.fields, "medical_necessity": word, **({} if self_funded is None else {"self_funded": self_funded})}

    return amend(desk, "planned_service", id, decided, activity="necessity")


def _word(desk: Desk, determination: str, rationale: str) -> Fields:
    word = {"determination": determination, "rationale": rationale, "decided_by": desk.actor.reference, "decided_at": desk.now()}
    return {name: value for name, value in word.items() if value}


@dataclass(frozen=True)
class Arrangement:
    """Who performs a service, and whether it is medically needed; `version` is the one of the service that this was decided on."""

    version: int
    performers: tuple[str, ...]
    determination: str
    rationale: str


def arrange(desk: Desk, case: str, told: Mapping[str, Arrangement]) -> None:
    """Services of a case, by reference, arranged in one transaction; a new determination is the actor's, of now (P-09).

    Raises NotFound, Gone, StaleRecord for a service that somebody changed meanwhile, and as `records.put` does.
    """
    put_together(desk, case, lambda: list(_arranged(desk, told)), activity="arranged")


def _arranged(desk: Desk, told: Mapping[str, Arrangement]) -> Iterator[Effect]:
    for reference, each in told.items():
        kept = read(desk.repository, "planned_service", reference.partition("/")[2])
        if kept.version != each.version:
            raise StaleRecord("Somebody changed one of the services meanwhile; look at them again before you change them.")
        service = kept.fields
        said = service.get("medical_necessity", {})
        rationale = _plain(each.rationale)
        same = (said.get("determination", UNDETERMINED), _plain(said.get("rationale", ""))) == (each.determination, rationale)
        word = said if same else _word(desk, each.determination, rationale)
        after = {**service, "performers": [*each.performers], "medical_necessity": word}
        after = {name: value for name, value in after.items() if value not in ([], {})}
        if after != service:
            yield "planned_service", reference, after


def _plain(text: str) -> str:
    """A text as it comes back from a browser's form that nobody typed in."""
    return text.replace("\r\n", "\n").strip()


def move(desk: Desk, id: str, status: str, *, reason: str | None = None) -> Kept:
    """The service in another status. Raises RuleViolated `service_status_invalid` where it does not go from the one to the other."""
    return amend(desk, "planned_service", id, lambda service: {**service.fields, "status": status}, activity="service", reason=reason)


def schedule(desk: Desk, id: str, first: Sequence[str], minutes: int, *, reason: str | None = None) -> list[Kept]:
    """The appointments of all sessions of a service, booked in one transaction, none meeting another of the client's (P-33).

    `first` are the starts of the sessions in the first period, see `sessions`. Asked for again, the appointments are the same and stay as
    they are. Raises Invalid; NotNow `no_free_time`, `service_over`, or `authorisation_missing` (C-22), which yields to a reason.
    """
    service = read(desk.repository, "planned_service", id)
    put_together(desk, service.fields.get("case", ""), partial(_sessions, desk, id, first, minutes), activity="schedule", reason=reason)
    made = [str(uuid5(_NAMESPACE, f"{service.reference}/{place}")) for place in range(_made(desk, service))]
    return [read(desk.repository, "appointment", each) for each in made]


def _made(desk: Desk, service: Kept) -> int:
    """How many sessions of the service were made: they are numbered."""
    number = 0
    while desk.repository.find("Appointment", str(uuid5(_NAMESPACE, f"{service.reference}/{number}"))):
        number += 1
    return number


def _sessions(desk: Desk, id: str, first: Sequence[str], minutes: int) -> list[Effect]:
    service = read(desk.repository, "planned_service", id)
    if service.fields["status"] in _OVER:
        raise NotNow("The service is over.", code="service_over", expression=["status"])
    if _made(desk, service):
        return []
    spans = sessions(service.fields.get("timing", {}), first, minutes, _busy(desk, service.fields["client"]))
    bookings = [_booking(service, place, span, minutes) for place, span in enumerate(spans)]
    begun: list[Effect] = []
    if service.fields["status"] == "not_started":
        begun = [("planned_service", service.reference, {**service.fields, "status": "scheduled"})]
    return [*bookings, *begun]


def _booking(service: Kept, place: int, span: Span, minutes: int) -> Effect:
    fields = service.fields
    who = [{"actor": performer, "status": "needs_action"} for performer in fields.get("performers", [])]
    booking: Fields = {
        **{name: fields[name] for name in ("client", "case") if name in fields},
        "client_attendance": "needs_action",
        "status": "booked",
        "services": [service.reference],
        "description": fields["description"],
        "start": instant(span[0]),
        "end": instant(span[1]),
        "minutes": minutes,
    }
    reference = f"Appointment/{uuid5(_NAMESPACE, f'{service.reference}/{place}')}"
    return "appointment", reference, {**booking, "participants": who} if who else booking


def _busy(desk: Desk, client: str) -> list[Span]:
    """When the client has appointments already, also such as others share of whom nothing is seen."""
    found = desk.repository.whole.scan("Appointment", {KEY: client, "concept": "appointment"})
    taken = [stored.record for stored in found if not stored.deleted and stored.record["status"] not in _FREE and "start" in stored.record]
    return [(moment(item["start"]), _end(item)) for item in taken]


def _end(appointment: Fields) -> datetime:
    if "end" in appointment:
        return moment(appointment["end"])
    return moment(appointment["start"]) + timedelta(minutes=appointment.get("minutes", 0))
