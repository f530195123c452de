import pytest

from adapter.care.instrument import load, names
from adapter.care.questionnaire import canonical, questionnaire
from adapter.config import BASE, CS
from adapter.fhir.resource import check_structure

EVERY = [(name, method) for name in names() for method in load(name).all_methods or (None,)]
ORDINAL = "http://hl7.org/fhir/StructureDefinition/ordinalValue"


def items(made: dict) -> dict[str, dict]:
    return {item["linkId"]: item for item in made["item"]}


@pytest.mark.parametrize(("name", "method"), EVERY)
def test_every_instrument_is_a_valid_questionnaire(name, method):
    made = questionnaire(name, method)
    check_structure(made)
    assert list(items(made)) == [item.link_id for item in load(name, method).items]


def test_a_questionnaire_is_found_by_url_and_version():
    made = questionnaire("audit_c")
    assert made["url"] == canonical("audit_c") == f"{BASE}/Questionnaire/audit-c"
    assert (made["id"], made["name"], made["version"], made["status"]) == ("audit-c", "AuditC", "1.0.0", "active")
    assert made["code"][0]["system"] == "http://loinc.org"


def test_an_answer_that_counts_has_its_ordinal_value():
    option = items(questionnaire("phq9"))["44250-9"]["answerOption"][2]
    assert option == {
        "valueCoding": {"system": "http://loinc.org", "code": "LA6570-1", "display": "More than half the days"},
        "extension": [{"url": ORDINAL, "valueDecimal": 2}],
    }
    assert "extension" not in items(questionnaire("phq9"))["69722-7"]["answerOption"][0]
    assert "extension" not in items(questionnaire("ahc_hrsn"))["71802-3"]["answerOption"][1]


def test_an_item_that_is_skipped_after_an_answer_is_enabled_by_any_other():
    assert items(questionnaire("audit_c"))["68519-8"]["enableWhen"] == [
        {"question": "68518-0", "operator": "!=", "answerCoding": {"system": "http://loinc.org", "code": "LA6270-8"}}
    ]


def test_an_exclusive_answer_says_so():
    none = items(questionnaire("ahc_hrsn"))["96778-6"]["answerOption"][-1]
    exclusive = "http://hl7.org/fhir/StructureDefinition/questionnaire-optionExclusive"
    assert none["extension"] == [{"url": exclusive, "valueBoolean": True}]


def test_a_number_has_its_limits_and_unit_and_its_code_may_be_of_another_system():
    haemoglobin = items(questionnaire("hospital"))["718-7"]
    assert {next(value for key, value in part.items() if key != "url") for part in haemoglobin["extension"][:2]} == {1, 30}
    assert haemoglobin["extension"][2]["valueCoding"]["code"] == "g/dL"
    assert haemoglobin["code"][0]["system"] == "http://loinc.org"
    assert items(questionnaire("hospital"))["procedure"]["code"][0]["system"] == f"{CS}/instrument-score"


def test_the_same_item_has_the_answers_of_its_instrument():
    codes = {
        name: [option["valueCoding"]["code"] for option in items(questionnaire(name))["71802-3"]["answerOption"]]
        for name in ("ahc_hrsn", "prapare")
    }
    assert not set(codes["ahc_hrsn"]) & set(codes["prapare"])
