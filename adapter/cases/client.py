"""The person whose case it is."""

from adapter.cases.fields import Choice, Date, DateTime, Flag, Part, Ref, Text, parts
from adapter.cases.record import Record
from adapter.cases.values import GENDER, Address, Code, Identifier, Name, Telecom, Value


class Language(Value):
    """A language the client can be spoken to in, as a BCP-47 code."""

    language = Part(Code, required=True)
    preferred = Flag()


class Deceased(Value):
    """That somebody died, or did not, or when: one of them."""

    ONE_OF = frozenset(("boolean", "date_time"))

    boolean = Flag()
    date_time = DateTime()


class Client(Record):
    """Keys: identifiers by system and value, names by use, languages by code, telecoms by system and value, addresses by use and type.

    The preferred channel is the telecom of rank 1; consents are records of their own.
    """

    concept = "client"
    ELSEWHERE = {"care_preferences": "stand in the assessment's client_preferences"}

    identifiers = parts(Identifier, ("system", "value"), required=True)
    active = Flag()
    names = parts(Name, ("use",), required=True)
    birth_date = Date()
    administrative_gender = Choice(*GENDER)
    pronouns = Part(Code)
    languages = parts(Language, ("language",))
    telecoms = parts(Telecom, ("system", "value"))
    addresses = parts(Address, ("use", "type"))
    deceased = Part(Deceased)
    capacity = Choice("intact", "impaired", "unknown")
    literacy_note = Text()
    decision_maker = Ref("RelatedPerson")
