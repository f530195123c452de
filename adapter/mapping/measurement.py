"""Measurement ↔ Observation, of anything and from anybody: http://hl7.org/fhir/R4/observation.html"""

from adapter.mapping.choices import Choice
from adapter.mapping.codecs import instant, moment
from adapter.mapping.codes import table
from adapter.mapping.lists import Each, codes, refs
from adapter.mapping.rules import Codeable, Field, Ref, coded, period
from adapter.mapping.shapes import CASE, IDENTIFIERS, any_value, notes
from adapter.mapping.table import Mapping

STATUS = table("observation-status", "registered preliminary final amended corrected cancelled entered-in-error unknown")

# The types that Observation.value[x] may have, by the names they have in a record, the most frequent first.
_KINDS = ("quantity", "code", "text", "boolean", "integer", "range", "time", "date_time", "period")
_OPTIONS = {rule.attr: rule for rule in any_value("value", "value").options}
VALUE = Choice("value", "value", tuple(_OPTIONS[kind] for kind in _KINDS))

MEASUREMENT = Mapping(
    "measurement",
    "Observation",
    (
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        IDENTIFIERS,
        coded("status", "status", STATUS),
        codes("category", "categories"),
        Codeable("code", "code"),
        Choice("effective", "effective", (Field("effectiveDateTime", "date_time", moment), period("effectivePeriod"))),
        Field("issued", "issued_at", instant),
        refs("performer", "performers"),
        VALUE,
        Codeable("dataAbsentReason", "data_absent_reason"),
        codes("interpretation", "interpretations"),
        Each(
            "component",
            "components",
            (
                Codeable("code", "code"),
                VALUE,
                Codeable("dataAbsentReason", "data_absent_reason"),
                codes("interpretation", "interpretations"),
            ),
            key=("code",),
        ),
        Codeable("bodySite", "body_site"),
        Codeable("method", "method"),
        refs("derivedFrom", "derived_from"),
        notes(),
    ),
)

MAPPINGS = (MEASUREMENT,)
