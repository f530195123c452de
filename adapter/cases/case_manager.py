"""The person who manages cases, and the role in which they do."""

from adapter.cases.fields import Choice, Exact, Flag, Items, Part, Ref, Text, Whole, parts
from adapter.cases.record import Record
from adapter.cases.values import GENDER, Code, Hours, Identifier, Name, Period, Telecom, Value


class Credential(Value):
    """A licence, certificate or degree."""

    kind = Choice("RN", "LCSW", "CCM", "other_license", "degree", required=True)
    number = Text()
    issuer = Ref("Organization")
    period = Part(Period)
    active = Flag()
    unrestricted = Flag()
    degree_level = Choice("bachelor", "graduate")
    field = Text()


class CaseManager(Record):
    """Two faces, one id. The person: identifiers, active, names, telecoms, administrative_gender, credentials.
    The role: practitioner (the person, of the same id), discipline, role, specialties, organization, period, case_management_work_share,
    caseload_limit, mentor, competencies, hours, availability.

    Keys: identifiers and telecoms by system and value, names by use, credentials by kind and number, specialties by system, code
    and text.
    """

    concept = "case_manager"
    ELSEWHERE = {
        "open_case_count": "counted from the cases",
        "ccm_eligibility": "computed from the credentials and the work share",
    }

    identifiers = parts(Identifier, ("system", "value"))
    active = Flag()
    names = parts(Name, ("use",), required=True)
    telecoms = parts(Telecom, ("system", "value"))
    administrative_gender = Choice(*GENDER)
    credentials = parts(Credential, ("kind", "number"))

    practitioner = Ref("Practitioner")
    discipline = Choice(
        "nurse",
        "social_worker",
        "healthcare_administrator",
        "therapist",
        "counselor",
        "physician",
        "other_clinical",
        "other",
        required=True,
    )
    role = Choice("case_manager", "nurse_case_manager", "supervisor", "director")
    specialties = parts(Code, ("system", "code", "text"))
    organization = Ref("Organization")
    period = Part(Period)
    case_management_work_share = Exact(0, 1)
    caseload_limit = Whole(1, 20)
    mentor = Ref("Practitioner")
    competencies = Items(Choice("medical_knowledge", "system_knowledge", "project_management", "communication", "empathy", "collaboration"))
    hours = parts(Hours, ("days", "start"))
    availability = Text()
