"""Groups of rules that many concepts share; the records' side is in `adapter.cases.values`."""

from adapter.config import EXT, OWN_ID
from adapter.mapping.choices import Choice
from adapter.mapping.codecs import boolean, date, decimal, integer, moment, texts, time
from adapter.mapping.codes import table
from adapter.mapping.lists import Each
from adapter.mapping.rules import Codeable, Field, Group, Ref, Rule, coded, period, quantity
from adapter.mapping.words import Words

GENDER = table("administrative-gender", "male female other unknown")
TELECOM_SYSTEM = table("contact-point-system", "phone fax email pager url sms other")
TELECOM_USE = table("contact-point-use", "home work temp old mobile")
NAME_USE = table("name-use", "usual official temp nickname anonymous old maiden")
ADDRESS_USE = table("address-use", "home work temp old billing")
ADDRESS_TYPE = table("address-type", "postal physical both")
IDENTIFIER_USE = table("identifier-use", "usual official temp secondary old")

# The extension by which R4 ties an event or request to a case, and ours, for the types on which R4 does not allow that one: a validator
# that goes by R4's own definition refuses it there.
_CASE_OF, _OWN_CASE_OF = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare", f"{EXT}/case"
CASE = Ref(f"extension[url={_CASE_OF}].valueReference", "case")
OWN_CASE = Ref(f"extension[url={_OWN_CASE_OF}].valueReference", "case")
_MAY_SAY_CASE = frozenset(
    (
        "Observation",
        "DiagnosticReport",
        "Media",
        "DeviceRequest",
        "ServiceRequest",
        "NutritionOrder",
        "DeviceUseStatement",
        "AdverseEvent",
        "CarePlan",
        "CareTeam",
        "ClinicalImpression",
        "Communication",
        "CommunicationRequest",
        "Condition",
        "Procedure",
        "QuestionnaireResponse",
    )
)

IDENTIFIERS = Each(
    "identifier",
    "identifiers",
    (coded("use", "use", IDENTIFIER_USE), Codeable("type", "type"), Field("system", "system"), Field("value", "value"), period("period")),
    key=("system", "value"),
    unless=("system", OWN_ID),
    note="one without a system stays and is not in the record",
)

NAMES = Each(
    "name",
    "names",
    (
        coded("use", "use", NAME_USE),
        Field("text", "text"),
        Field("family", "family"),
        Field("given", "given", texts),
        Field("prefix", "prefix", texts),
        Field("suffix", "suffix", texts),
        period("period"),
    ),
    key=("use",),
    partial=True,
)

TELECOMS = Each(
    "telecom",
    "telecoms",
    (
        coded("system", "system", TELECOM_SYSTEM),
        Field("value", "value"),
        coded("use", "use", TELECOM_USE),
        Field("rank", "rank", integer),
        period("period"),
    ),
    key=("system", "value"),
    note="the preferred channel has rank 1",
)

ADDRESSES = Each(
    "address",
    "addresses",
    (
        coded("use", "use", ADDRESS_USE),
        coded("type", "type", ADDRESS_TYPE),
        Field("text", "text"),
        Field("line", "line", texts),
        Field("city", "city"),
        Field("district", "district"),
        Field("state", "state"),
        Field("postalCode", "postal_code"),
        Field("country", "country"),
        period("period"),
    ),
    key=("use", "type"),
    partial=True,
)


HOURS = Each(
    "availableTime",
    "hours",
    (
        Words("daysOfWeek", "days", texts, "", table("days-of-week", "mon tue wed thu fri sat sun")),
        Field("allDay", "all_day", boolean),
        Field("availableStartTime", "start", time),
        Field("availableEndTime", "end", time),
    ),
    key=("days", "start"),
    partial=True,
)


def notes(path: str = "note", attr: str = "notes") -> Each:
    """Annotations ⇄ notes, told apart by their text."""
    return Each(path, attr, (Field("text", "text"), Field("time", "at", moment), Ref("authorReference", "by")), key=("text",))


def value_range(path: str, attr: str) -> Group:
    """A Range ⇄ {low, high}."""
    return Group(path, attr, (quantity("low", "low"), quantity("high", "high")), "range")


def any_value(base: str, attr: str) -> Choice:
    """A choice element of any of the common types ⇄ {type: value}; see `adapter.cases.values.AnyValue`."""
    options: tuple[Rule, ...] = (
        quantity(f"{base}Quantity", "quantity"),
        value_range(f"{base}Range", "range"),
        Codeable(f"{base}CodeableConcept", "code"),
        Field(f"{base}String", "text"),
        Field(f"{base}Boolean", "boolean", boolean),
        Field(f"{base}Integer", "integer", integer),
        Field(f"{base}Decimal", "decimal", decimal),
        Field(f"{base}Date", "date", date),
        Field(f"{base}DateTime", "date_time", moment),
        Field(f"{base}Time", "time", time),
        period(f"{base}Period", "period"),
        Field(f"{base}Uri", "uri"),
        Ref(f"{base}Reference", "reference"),
    )
    return Choice(base, attr, options)


def complex_ext(name: str, attr: str, rules: tuple[Rule, ...], note: str = "") -> Group:
    """One of our extensions with parts: each rule's path starts with `part(…)`."""
    return Group(f"extension[url={EXT}/{name}]", attr, rules, note=note)


def part(name: str) -> str:
    """The path of a part within a complex extension, up to its value."""
    return f"extension[url={name}]"


def case_of(type: str) -> str:
    """The url of the extension by which a resource of this type belongs to a case."""
    return _CASE_OF if type in _MAY_SAY_CASE else _OWN_CASE_OF
