"""Condition ↔ Condition: http://hl7.org/fhir/R4/condition.html"""

from adapter.mapping.choices import OneOf
from adapter.mapping.codecs import moment
from adapter.mapping.codes import table
from adapter.mapping.lists import One, Values, codes
from adapter.mapping.rules import Codeable, Field, Ref
from adapter.mapping.shapes import CASE, IDENTIFIERS, notes
from adapter.mapping.table import Mapping
from adapter.mapping.words import word

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"

CLINICAL_STATUS = table("condition-clinical", "active recurrence relapse inactive remission resolved")
VERIFICATION_STATUS = table("condition-ver-status", "unconfirmed provisional differential confirmed refuted entered-in-error")

CONDITION = Mapping(
    "condition",
    "Condition",
    (
        IDENTIFIERS,
        word("clinicalStatus", "clinical_status", CLINICAL_STATUS, CLINICAL),
        word("verificationStatus", "verification_status", VERIFICATION_STATUS, VERIFICATION),
        codes("category", "categories"),
        Codeable("severity", "severity"),
        Codeable("code", "code", "the first coding; its translations stay until another code is set"),
        Ref("subject", "client"),
        CASE,
        Ref("encounter", "encounter"),
        OneOf("onset", Field("onsetDateTime", "onset_at", moment)),
        OneOf("abatement", Field("abatementDateTime", "abatement_at", moment)),
        Field("recordedDate", "recorded_at", moment),
        Ref("recorder", "recorder"),
        Ref("asserter", "asserter"),
        Values("evidence", "evidence", (One("detail", "value", (Ref("", "value"),)),), note="each with one detail"),
        notes(),
    ),
)

MAPPINGS = (CONDITION,)
