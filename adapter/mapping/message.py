"""Message ↔ Communication, of anything but advocacy: http://hl7.org/fhir/R4/communication.html"""

from adapter.mapping.advocacy import EVENT_STATUS
from adapter.mapping.codecs import moment
from adapter.mapping.lists import Values, codes, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded
from adapter.mapping.shapes import CASE, IDENTIFIERS, notes
from adapter.mapping.table import Mapping
from adapter.mapping.task import PRIORITY

MESSAGE = Mapping(
    "message",
    "Communication",
    (
        IDENTIFIERS,
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        coded("status", "status", EVENT_STATUS),
        Codeable("statusReason", "status_reason"),
        coded("priority", "priority", PRIORITY),
        codes("category", "categories"),
        codes("medium", "media"),
        Codeable("topic", "topic"),
        Ref("sender", "sender"),
        refs("recipient", "recipients"),
        refs("about", "about"),
        refs("inResponseTo", "in_response_to"),
        Field("sent", "sent_at", moment),
        Field("received", "received_at", moment),
        codes("reasonCode", "reasons"),
        Values("payload", "texts", (Field("contentString", "value"),), note="attachments and references stay and are not in the record"),
        notes(),
    ),
)

MAPPINGS = (MESSAGE,)
