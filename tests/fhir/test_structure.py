"""What is read off the models of an element, and which of them are R4's."""

import pytest

from adapter.errors import Invalid
from adapter.fhir.resource import check_structure
from adapter.fhir.structure import elements, is_modelled, model_of


@pytest.mark.parametrize(
    ("type", "name", "many", "kind"),
    [
        ("Patient", "name", True, "HumanName"),
        ("Patient", "birthDate", False, "Date"),
        ("HumanName", "given", True, "String"),
        ("Appointment", "participant", True, "AppointmentParticipant"),
        ("Coverage", "payor", True, "Reference"),
        ("SearchParameter", "base", True, "Code"),
        ("Claim", "priority", False, "CodeableConcept"),
    ],
)
def test_a_list_is_a_list_whether_it_must_be_there_or_not(type, name, many, kind):
    element = elements(model_of(type))[name]
    assert (element.many, element.kind) == (many, kind)


@pytest.mark.parametrize("type", ["Evidence", "EvidenceVariable", "MedicinalProduct", "Kanarifugl"])
def test_a_type_that_r4_defines_otherwise_than_the_models_has_no_model(type):
    assert model_of(type) is None
    check_structure({"resourceType": type, "exposureBackground": {"reference": "EvidenceVariable/1"}})


@pytest.mark.parametrize("type", ["Patient", "Slot", "Evidence", "EvidenceVariable", "MedicinalProduct", "Kanarifugl"])
def test_whether_there_is_a_model_is_told_without_reading_it(type):
    assert is_modelled(type) is (model_of(type) is not None)


def test_what_has_a_model_is_checked():
    with pytest.raises(Invalid):
        check_structure({"resourceType": "Appointment", "status": "booked", "participant": {"status": "accepted"}})
