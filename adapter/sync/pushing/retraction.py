"""`entered-in-error` instead of a deletion: which element of which type can say so, from R4's value sets.

http://hl7.org/fhir/R4/lifecycle.html, http://hl7.org/fhir/R4/terminologies.html
"""

from collections.abc import Mapping

from adapter.fhir.resource import Raw

ENTERED_IN_ERROR = "entered-in-error"

# A type that is not here has no element in R4 whose value set holds `entered-in-error`.
_CODES: Mapping[str, frozenset[str]] = {
    "status": frozenset(
        {"Account", "Appointment", "CarePlan", "CareTeam", "ChargeItem", "Claim", "ClaimResponse", "ClinicalImpression", "Communication"}
        | {"CommunicationRequest", "Composition", "Consent", "Contract", "Coverage", "CoverageEligibilityRequest", "DetectedIssue"}
        | {"CoverageEligibilityResponse", "Device", "DeviceRequest", "DeviceUseStatement", "DiagnosticReport", "DocumentManifest"}
        | {"DocumentReference", "Encounter", "Endpoint", "EnrollmentRequest", "EnrollmentResponse", "EpisodeOfCare"}
        | {"ExplanationOfBenefit", "FamilyMemberHistory", "Flag", "GuidanceResponse", "ImagingStudy", "Immunization"}
        | {"ImmunizationEvaluation", "Invoice", "List", "Media", "Medication", "MedicationAdministration", "MedicationDispense"}
        | {"MedicationKnowledge", "MedicationRequest", "MedicationStatement", "NutritionOrder", "Observation", "PaymentNotice"}
        | {"PaymentReconciliation", "Procedure", "QuestionnaireResponse", "RequestGroup", "RiskAssessment", "ServiceRequest", "Slot"}
        | {"Specimen", "Substance", "SupplyDelivery", "SupplyRequest", "Task", "TestReport", "VisionPrescription"}
    ),
    "lifecycleStatus": frozenset({"Goal"}),
    "operationalStatus": frozenset({"DeviceMetric"}),
}
# Here the status is a CodeableConcept; by con-5 and ait-2 there is no clinical status beside `entered-in-error`.
_CONCEPTS: Mapping[str, str] = {
    "AllergyIntolerance": "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification",
    "Condition": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}


def retractable(type: str) -> bool:
    """Whether R4 gives the type an element that can say that the resource should never have been."""
    return type in _CONCEPTS or any(type in types for types in _CODES.values())


def retracted(raw: Raw) -> Raw:
    """The resource saying that it was entered in error, all else as it was; unchanged where its type cannot say so."""
    type = raw["resourceType"]
    if system := _CONCEPTS.get(type):
        body = {name: value for name, value in raw.items() if name != "clinicalStatus"}
        return {**body, "verificationStatus": {"coding": [{"system": system, "code": ENTERED_IN_ERROR}]}}
    element = next((name for name, types in _CODES.items() if type in types), None)
    return {**raw, element: ENTERED_IN_ERROR} if element else raw
