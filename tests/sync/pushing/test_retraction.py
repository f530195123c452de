"""`entered-in-error`: the table says of each type what R4's own code lists say of it."""

import importlib
import pkgutil

import fhir.resources.R4B
import pytest

from adapter.fhir.resource import check_structure
from adapter.fhir.structure import check_codes, elements, is_modelled, model_of
from adapter.sync.pushing.retraction import ENTERED_IN_ERROR, retractable, retracted

TYPES = sorted(
    name
    for module in pkgutil.iter_modules(fhir.resources.R4B.__path__)
    for name in vars(importlib.import_module(f"fhir.resources.R4B.{module.name}"))
    if name.lower() == module.name and "resourceType" not in name and is_modelled(name)
)
# New in R4B: http://hl7.org/fhir/R4B/diff.html
NOT_IN_R4 = {"NutritionProduct", "SubscriptionStatus"}


def test_every_type_whose_definition_lists_the_code_is_in_the_table() -> None:
    listed = {type for type in TYPES for each in elements(model_of(type)).values() if ENTERED_IN_ERROR in each.codes}
    assert len(listed) > 50
    assert {type for type in listed - NOT_IN_R4 if not retractable(type)} == set()


@pytest.mark.parametrize("type", [type for type in TYPES if retractable(type)])
def test_the_element_is_one_of_the_type_s_and_may_have_the_code(type: str) -> None:
    said = retracted({"resourceType": type})
    (name,) = said.keys() - {"resourceType"}
    element = elements(model_of(type))[name]
    assert element.kind in ("Code", "CodeableConcept")
    assert not element.codes or ENTERED_IN_ERROR in element.codes
    check_codes(said)


@pytest.mark.parametrize("type", ["Patient", "Practitioner", "Organization", "RelatedPerson", "Provenance", "Questionnaire", "Location"])
def test_a_type_without_such_a_status_is_left_as_it_is(type: str) -> None:
    raw = {"resourceType": type}
    assert not retractable(type)
    assert retracted(raw) is raw


def test_all_else_stays_but_a_clinical_status_that_r4_forbids_beside_it() -> None:
    subject = {"reference": "Patient/p"}
    raw = {"resourceType": "Condition", "clinicalStatus": {"text": "active"}, "subject": subject, "note": [{"text": "note (Kanarifugl)"}]}
    said = retracted(raw)
    assert (said["subject"], said["note"], "clinicalStatus" in said) == (subject, raw["note"], False)
    check_structure(said)
