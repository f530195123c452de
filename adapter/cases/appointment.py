"""A booked time with somebody."""

from adapter.cases.fields import Choice, DateTime, Flag, Moment, Part, Ref, Text, Whole, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import Code, Value

ATTENDANCE = ("accepted", "declined", "tentative", "needs_action")


class Attendance(Value):
    """Somebody who is to come, and whether they said so."""

    actor = Ref()
    role = Part(Code)
    required = Choice("required", "optional", "information_only")
    status = Choice(*ATTENDANCE, required=True)


class Appointment(Record):
    """Keys: service_types by system and code, participants by actor and role.

    `participants` are the others; whether the client said to come is `client_attendance`.
    """

    concept = "appointment"

    client = Ref("Patient", required=True)
    client_attendance = Choice(*ATTENDANCE, required=True)
    case = Ref("EpisodeOfCare")
    services = refs("ServiceRequest")
    status = Choice(
        "proposed",
        "pending",
        "booked",
        "arrived",
        "fulfilled",
        "cancelled",
        "noshow",
        "entered_in_error",
        "checked_in",
        "waitlist",
        required=True,
    )
    cancel_reason = Part(Code)
    service_types = parts(Code, ("system", "code"))
    description = Text()
    start = Moment()
    end = Moment()
    minutes = Whole(1)
    created_at = DateTime()
    participants = parts(Attendance, ("actor", "role"))
    accompanied = Flag()
    reminder_sent_at = DateTime()
    comment = Text()
