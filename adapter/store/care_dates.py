"""When the care that a resource is about was given: what the `start` and `end` of `$everything` are about.

"The date range relates to care dates, not record currency dates" (http://hl7.org/fhir/R4/patient-operation-everything.html), so dates of
recording and editing do not count, and what says no care date (a coverage, a consent, an allergy) is of any time.
"""

from collections.abc import Sequence

from adapter.fhir.dates import BEGIN, END, Span, spans
from adapter.fhir.resource import Raw, parse
from adapter.store.paths import getter
from adapter.store.rows import Row

_EFFECTIVE = ("effectiveDateTime", "effectivePeriod", "effectiveTiming", "effectiveInstant")
_OCCURRENCE = ("occurrenceDateTime", "occurrencePeriod", "occurrenceTiming")
_PERIOD = ("period",)
CARE: dict[str, Sequence[str]] = {
    "Appointment": ("start",),
    "CarePlan": _PERIOD,
    "CareTeam": _PERIOD,
    "Claim": ("billablePeriod",),
    "ClinicalImpression": _EFFECTIVE,
    "Communication": ("sent", "received"),
    "CommunicationRequest": _OCCURRENCE,
    "Condition": ("onsetDateTime", "onsetPeriod"),
    "DiagnosticReport": _EFFECTIVE,
    "DocumentReference": ("context.period",),
    "Encounter": _PERIOD,
    "EpisodeOfCare": _PERIOD,
    "ExplanationOfBenefit": ("billablePeriod",),
    "Flag": _PERIOD,
    "Goal": ("startDate",),
    "ImagingStudy": ("started",),
    "Immunization": _OCCURRENCE,
    "MeasureReport": _PERIOD,
    "Media": ("createdDateTime", "createdPeriod"),
    "MedicationAdministration": _EFFECTIVE,
    "MedicationDispense": ("whenHandedOver", "whenPrepared"),
    "MedicationRequest": ("authoredOn",),
    "MedicationStatement": _EFFECTIVE,
    "NutritionOrder": ("dateTime",),
    "Observation": _EFFECTIVE,
    "Procedure": ("performedDateTime", "performedPeriod"),
    "QuestionnaireResponse": ("authored",),
    "RiskAssessment": _OCCURRENCE,
    "ServiceRequest": (*_OCCURRENCE, "authoredOn"),
    "Specimen": ("collection.collectedDateTime", "collection.collectedPeriod"),
}
"""By type, the elements of which the first that is there says the date."""
# What goes on, until one of these says that it has ended.
_UNTIL: dict[str, Sequence[str]] = {
    "Appointment": ("end",),
    "Condition": ("abatementDateTime", "abatementPeriod"),
    "Goal": (),
}


def care(row: Row) -> Span:
    """From the first moment of the care that a resource is about to the first after it; all of time where it says none."""
    names = CARE.get(row.type)
    if names is None:
        return BEGIN, END
    raw = parse(row.text)
    began = _first(raw, names)
    if row.type not in _UNTIL:
        return began or (BEGIN, END)
    ended = _first(raw, _UNTIL[row.type])
    return began[0] if began else BEGIN, ended[1] if ended else END


def _first(raw: Raw, paths: Sequence[str]) -> Span | None:
    return next((found for path in paths for value in getter(path)[1](raw) if (found := spans(value))), None)
