"""Task ↔ Task: http://hl7.org/fhir/R4/task.html"""

from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.rules import Codeable, Field, Ref, coded, period
from adapter.mapping.shapes import notes
from adapter.mapping.table import Mapping, ext, extension

STATUS = table(
    "task-status",
    "draft requested received accepted rejected ready cancelled in-progress on-hold failed completed entered-in-error",
)
INTENT = table("task-intent", "unknown proposal plan order original-order reflex-order filler-order instance-order option")
PRIORITY = table("request-priority", "routine urgent asap stat")

TASK = Mapping(
    "task",
    "Task",
    (
        coded("status", "status", STATUS),
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
        notes(),
    ),
)

MAPPINGS = (TASK,)
