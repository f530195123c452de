"""The address by which an organisation's system is reached."""

from adapter.cases.fields import Choice, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import Code, Identifier, Period, Telecom


class Endpoint(Record):
    """Keys: identifiers and telecoms by system and value, payload types by system, code and text.

    `connection` is a code of http://terminology.hl7.org/CodeSystem/endpoint-connection-type, such as hl7-fhir-rest.
    """

    concept = "endpoint"

    identifiers = parts(Identifier, ("system", "value"))
    status = Choice("active", "suspended", "error", "off", "entered_in_error", "test", required=True)
    connection = Part(Code, required=True)
    name = Text()
    managing_organization = Ref("Organization")
    telecoms = parts(Telecom, ("system", "value"))
    period = Part(Period)
    payload_types = parts(Code, ("system", "code", "text"), required=True)
    address = Text(required=True)
