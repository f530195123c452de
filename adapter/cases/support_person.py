"""Somebody of the client's personal support network."""

from adapter.cases.fields import Choice, Date, Flag, Items, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import GENDER, Address, Code, Identifier, Name, Period, Telecom


class SupportPerson(Record):
    """Keys: identifiers by system and value, names by use, telecoms by system and value, addresses by use and type,
    relationships by system, code and text."""

    concept = "support_person"

    client = Ref("Patient", required=True)
    identifiers = parts(Identifier, ("system", "value"))
    active = Flag()
    names = parts(Name, ("use",), required=True)
    relationships = parts(Code, ("system", "code"), required=True)
    administrative_gender = Choice(*GENDER)
    birth_date = Date()
    telecoms = parts(Telecom, ("system", "value"))
    addresses = parts(Address, ("use", "type"))
    period = Part(Period)
    supports = Items(Choice("housing", "transport", "personal_care", "emotional", "financial", "medication", "meals", "decision_making"))
    lives_with_client = Flag()
    availability = Text()
    caregiver_strain = Choice("none", "some", "severe")
    may_receive_information = Flag()
    is_decision_maker = Flag()
