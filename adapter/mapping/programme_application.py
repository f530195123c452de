"""Programme application ↔ Task, whose owner is the programme: http://hl7.org/fhir/R4/task.html"""

from adapter.fhir.resource import Raw
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.rules import Codeable, Field, Ref, coded
from adapter.mapping.shapes import OWN_CASE, notes
from adapter.mapping.table import Mapping
from adapter.mapping.words import RECORD_KIND, has_coding

# On its way through the programme's own hands it is still what was submitted.
STATUS = table(
    "programme-application-status",
    "cancelled entered-in-error",
    preparing="draft",
    submitted="requested",
    enrolled="completed",
    not_enrolled="rejected",
    waitlist="on-hold",
    also={"received": "submitted", "accepted": "submitted", "in-progress": "submitted", "ready": "preparing", "failed": "not_enrolled"},
)


def _is_application(raw: Raw) -> bool:
    return has_coding(raw.get("code"), RECORD_KIND, "programme-application")


PROGRAMME_APPLICATION = Mapping(
    "programme_application",
    "Task",
    (
        coded("status", "status", STATUS),
        Codeable("statusReason", "status_reason"),
        Field("description", "programme"),
        Ref("focus", "service"),
        Ref("for", "client"),
        OWN_CASE,
        Field("executionPeriod.start", "submitted_at", moment),
        Field("executionPeriod.end", "decided_at", moment),
        Field("authoredOn", "prepared_at", moment),
        Field("lastModified", "changed_at", moment),
        Ref("requester", "prepared_by"),
        Ref("owner", "addressed_to"),
        Field("restriction.period.end", "due", moment),
        notes(),
    ),
    const={
        "intent": "order",
        "code": {"coding": [{"system": RECORD_KIND, "code": "programme-application", "display": "Application to a programme"}]},
    },
    when=_is_application,
)

MAPPINGS = (PROGRAMME_APPLICATION,)
