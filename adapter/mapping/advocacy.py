"""Advocacy ↔ Communication: http://hl7.org/fhir/R4/communication.html"""

from adapter.config import CS
from adapter.fhir.resource import Raw
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import refs
from adapter.mapping.rules import Field, Ref, coded
from adapter.mapping.shapes import CASE, notes
from adapter.mapping.table import Mapping, ext
from adapter.mapping.words import RECORD_KIND, has_coding, word

EVENT_STATUS = table("event-status", "preparation in-progress not-done on-hold stopped completed entered-in-error unknown")
ADVOCACY = table("advocacy", "advocacy liaison information")


def _is_advocacy(raw: Raw) -> bool:
    return has_coding(raw.get("category"), RECORD_KIND, "advocacy")


MAPPING = Mapping(
    "advocacy",
    "Communication",
    (
        Ref("subject", "client"),
        CASE,
        coded("status", "status", EVENT_STATUS),
        word("topic", "kind", ADVOCACY, f"{CS}/advocacy", sole=False),
        Field("topic.text", "issue"),
        Ref("sender", "sender"),
        refs("recipient", "addressed_to"),
        refs("about", "about"),
        Ref("encounter", "encounter"),
        ext("advocacy-action", "action"),
        ext("advocacy-result", "result"),
        Field("sent", "at", moment),
        notes(),
    ),
    const={"category": [{"coding": [{"system": RECORD_KIND, "code": "advocacy", "display": "Advocacy"}]}]},
    when=_is_advocacy,
)

MAPPINGS = (MAPPING,)
