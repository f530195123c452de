"""Task ↔ Task: http://hl7.org/fhir/R4/task.html"""

from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Each
from adapter.mapping.rules import Codeable, Field, Ref, coded, period
from adapter.mapping.shapes import any_value, notes
from adapter.mapping.table import Mapping, ext, extension

STATUS = table(
    "task-status",
    "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed entered-in-error",
)
INTENT = table("task-intent", "unknown proposal plan order original-order reflex-order filler-order instance-order option")
PRIORITY = table("request-priority", "routine urgent asap stat")

_KIND_TEXTS = {
    "missed-appointment": "Follow up on a missed appointment",
    "urgent-flag": "Act on an urgent flag",
    "barrier": "Address a barrier to the plan",
    "authorisation-expiring": "Ask for an authorisation again before it ends",
    "authorisation-denied": "Decide whether to appeal a denied authorisation",
    "authorisation-needed": "Ask for the authorisation that the insurer demands for a service",
    "answer-unread": "Read an insurer's answer that could not be taken over",
    "appeal": "See an appeal through before its deadline",
    "discharge-contact": "Speak to the client after the discharge",
    "discharge-visit": "See the client after the discharge",
    "readmission": "Evaluate the risk again after a readmission",
    "emergency-visit": "Review a visit to the emergency department",
    "contact-overdue": "Contact that is overdue",
    "contact-escalated": "Contact that is overdue by its interval again",
    "service-late": "The first service is late",
    "task-escalated": "Task that nobody took in time",
    "referral-declined": "Refer to another provider: this one declined or could not do it",
    "referral-overdue": "Ask again or refer to another provider: this one did not answer in time",
    "transition-declined": "Find who takes over: the receiver declined",
}
KINDS: dict[str, Raw] = {
    code.replace("-", "_"): {"system": f"{CS}/task-kind", "code": code, "display": text} for code, text in _KIND_TEXTS.items()
}
"""What the tasks are for that follow from the record (casework.watch), by our word."""


def _parameters(path: str, attr: str) -> Each:
    return Each(path, attr, (Codeable("type", "type"), any_value("value", "value")), key=("type", "value"))


TASK = Mapping(
    "task",
    "Task",
    (
        coded("status", "status", STATUS),
        Codeable("statusReason", "status_reason"),
        coded("intent", "intent", INTENT),
        coded("priority", "priority", PRIORITY),
        Codeable("code", "code"),
        Codeable("businessStatus", "business_status"),
        Field("description", "description"),
        Ref("focus", "focus"),
        Ref("for", "client"),
        # The standard extension for this, workflow-episodeOfCare, may stand on most events and requests but not on a Task.
        Ref(f"{extension('case')}.valueReference", "case"),
        Ref("encounter", "encounter"),
        Field("authoredOn", "authored_at", moment),
        Field("lastModified", "modified_at", moment),
        Ref("requester", "requester"),
        Ref("owner", "owner"),
        period("executionPeriod", "executed"),
        Field("restriction.period.end", "due", moment),
        Codeable("reasonCode", "reason"),
        ext("delay-reason", "delay_reason"),
        _parameters("input", "inputs"),
        _parameters("output", "outputs"),
        notes(),
    ),
)

MAPPINGS = (TASK,)
