"""Planned service ↔ ServiceRequest, ordered by anybody: http://hl7.org/fhir/R4/servicerequest.html"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.config import CS
from adapter.fhir.elements import find, parse_path
from adapter.fhir.resource import Raw
from adapter.mapping.choices import clear_choice
from adapter.mapping.codecs import boolean, decimal, integer, moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Values, refs
from adapter.mapping.rules import ABSENT, Codeable, Field, Group, Problem, Ref, Row, coded, money, nested
from adapter.mapping.shapes import CASE, complex_ext, notes, part
from adapter.mapping.table import Mapping, ext, ext_code, extension
from adapter.mapping.words import Refined, word

# R4 says of a request whether it is in force, not how far the doing is.
STATUS = table(
    "planned-service-status",
    "on-hold completed entered-in-error unknown",
    also={"draft": "not_started"},
    in_progress="active",
    cancelled="revoked",
)
BEFORE = table("service-status", "not-started scheduled")
BROKEN_OFF = table("service-broken-off", "stopped")
INTENT = table(
    "request-intent",
    "proposal plan order",
    also={
        "directive": "order",
        "original-order": "order",
        "reflex-order": "order",
        "filler-order": "order",
        "instance-order": "order",
        "option": "proposal",
    },
)
KIND = table(
    "service-kind",
    "treatment therapy diagnostic medication education social-service financial-planning referral transport equipment home-health "
    "rehabilitation monitoring advocacy",
)
SETTING = table("care-setting", "home clinic hospital rehab snf community virtual")
UNIT = table("unit-of-time", "s min h d wk mo a")
NECESSITY = table("medical-necessity", "necessary not-necessary undetermined")
REQUIRED = table("authorisation-required", "yes no unknown")
INTERVENTION = table("intervention-kind", "narrative-reframing environmental-change other")


@dataclass(frozen=True)
class Occurrence:
    """`occurrence[x]` ⇄ when and how often. A dateTime or Period stays one as long as it can say all there is; else it is a Timing."""

    attr: str
    simple = (
        Group("", "occurrenceDateTime", (Field("occurrenceDateTime", "start", moment),)),
        Group("", "occurrencePeriod", (Field("occurrencePeriod.start", "start", moment), Field("occurrencePeriod.end", "end", moment))),
    )
    timing = Group(
        "occurrenceTiming",
        "occurrenceTiming",
        (
            Field("repeat.boundsPeriod.start", "start", moment),
            Field("repeat.boundsPeriod.end", "end", moment),
            Field("repeat.frequency", "frequency", integer),
            Field("repeat.period", "period", decimal),
            coded("repeat.periodUnit", "period_unit", UNIT),
            Field("repeat.count", "count", integer),
            Field("code.text", "text"),
        ),
    )

    def read(self, node: Raw, report: list[Problem]) -> Any:
        for form in (*self.simple, self.timing):
            value = form.read(node, report)
            if value is not ABSENT:
                return value
        return ABSENT

    def write(self, node: Raw, value: Any) -> None:
        if value is ABSENT:
            clear_choice(node, "occurrence")
            return
        form = next((form for form in self.simple if form.attr in node and value.keys() <= {rule.attr for rule in form.rules}), self.timing)
        clear_choice(node, "occurrence", keep=form.attr)
        form.write(node, value)
        repeat = find(node, parse_path("occurrenceTiming.repeat"))
        if isinstance(repeat, dict) and "boundsPeriod" in repeat:
            clear_choice(repeat, "bounds", keep="boundsPeriod")

    def rows(self) -> Iterator[Row]:
        yield Row("occurrence[x]", self.attr, "dateTime, Period or Timing")
        for form in self.simple:
            yield from nested("", self.attr, form.rules)
        yield from nested("occurrenceTiming", self.attr, self.timing.rules)


def _is_planned_service(raw: Raw) -> bool:
    """One that says what must not be done is no planned service; nothing of ours says so."""
    return raw.get("doNotPerform") is not True


PLANNED_SERVICE = Mapping(
    "planned_service",
    "ServiceRequest",
    (
        Ref("subject", "client"),
        CASE,
        Refined(
            Refined(coded("status", "status", STATUS), ext_code("service-status", "status", BEFORE), over="in_progress"),
            ext_code("service-broken-off", "status", BROKEN_OFF),
            over="cancelled",
        ),
        coded("intent", "intent", INTENT),
        word(f"category[coding.system={CS}/service-kind]", "kind", KIND, f"{CS}/service-kind"),
        Codeable("code", "code"),
        ext("service-description", "description"),
        Values(
            "extension",
            "goals",
            (Ref("valueReference", "value"),),
            where=("url", "http://hl7.org/fhir/StructureDefinition/resource-pertainsToGoal"),
        ),
        refs("performer", "performers"),
        Codeable("performerType", "performer_role"),
        word(f"locationCode[coding.system={CS}/care-setting]", "setting", SETTING, f"{CS}/care-setting"),
        Occurrence("timing"),
        Ref("requester", "requester"),
        Field("authoredOn", "authored_at", moment),
        refs("reasonReference", "reasons"),
        complex_ext(
            "medical-necessity",
            "medical_necessity",
            (
                coded(f"{part('determination')}.valueCode", "determination", NECESSITY),
                Field(f"{part('rationale')}.valueString", "rationale"),
                Ref(f"{part('decidedBy')}.valueReference", "decided_by"),
                Field(f"{part('decidedAt')}.valueDateTime", "decided_at", moment),
            ),
        ),
        ext("self-funded", "self_funded", boolean),
        ext_code("authorisation-required", "authorisation_required", REQUIRED),
        refs("insurance", "insurance"),
        money(f"{extension('estimated-cost')}.valueMoney", "estimated_cost"),
        Ref(f"{extension('outcome-monitor')}.valueReference", "outcome_monitor"),
        ext_code("intervention-kind", "intervention_kind", INTERVENTION),
        refs("replaces", "replaces"),
        notes(),
    ),
    when=_is_planned_service,
)

MAPPINGS = (PLANNED_SERVICE,)
