"""A professional or an organisation that has a part in a case."""

from adapter.cases.fields import Choice, Date, Flag, Ref, Text, parts, refs
from adapter.cases.record import Record
from adapter.cases.values import GENDER, Address, Code, Identifier, Name, Telecom

# The kinds that are persons. "other" is an organisation unless the record has `names`.
PERSONS = (
    "physician",
    "clinical_care_provider",
    "specialist",
    "therapist",
    "mental_health_professional",
)
ORGANISATIONS = (
    "home_health_provider",
    "service_provider",
    "rehab_facility",
    "insurer",
    "hospital",
    "outpatient_provider",
    "primary_care",
    "community_org",
    "managed_care",
    "social_service_agency",
)


class Stakeholder(Record):
    """An organisation has `name`, a person `names`; `kind` says which it is (see PERSONS).

    Keys: identifiers and telecoms by system and value, names by use, addresses by use and type, qualifications and types by system,
    code and text.
    """

    concept = "stakeholder"
    ELSEWHERE = {
        "specialties": "stand in the professional's roles and in the organisation's healthcare services",
        "services": "are healthcare services",
        "fhir_endpoint": "is an endpoint, named in `endpoints`",
    }

    kind = Choice(*PERSONS, *ORGANISATIONS, "other", required=True)
    identifiers = parts(Identifier, ("system", "value"))
    active = Flag()
    name = Text()
    names = parts(Name, ("use",))
    administrative_gender = Choice(*GENDER)
    birth_date = Date()
    types = parts(Code, ("system", "code", "text"))
    qualifications = parts(Code, ("system", "code", "text"))
    part_of = Ref("Organization")
    endpoints = refs("Endpoint")
    telecoms = parts(Telecom, ("system", "value"))
    addresses = parts(Address, ("use", "type"))
