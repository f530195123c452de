"""Which diseases are found by which codes: Quan 2005 for ICD-10, the IPS Terminology for SNOMED CT."""

import gzip
import json
from pathlib import Path

import pytest

from adapter.care.comorbidity import ICD10, SNOMED, Grouping, grouping, names, present
from adapter.care.data import decode
from adapter.care.instrument import load
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import parse
from adapter.mapping.registry import mapping_for

SYNTHEA = Path(__file__).parents[2] / "fixtures" / "fhir" / "synthea" / "Condition.ndjson.gz"


def condition(code: str, system: str = ICD10[0], **fields: str) -> dict:
    return {"code": {"system": system, "code": code}, "clinical_status": "active", "verification_status": "confirmed", **fields}


def shown(*codes: str, system: str = ICD10[0], name: str = "charlson") -> set[str]:
    return set(present(name, {f"Condition/{place}": condition(code, system) for place, code in enumerate(codes)}))


@pytest.mark.parametrize("name", [name for name in names() if grouping(name).instrument])
def test_a_grouping_has_a_group_for_each_disease_of_its_instrument_and_no_other(name):
    found = grouping(name)
    item = next(item for item in load(found.instrument).items if item.link_id == found.item)
    assert {group.code for group in found.groups} == {answer.code for answer in item.answers if not answer.exclusive}


@pytest.mark.parametrize("name", names())
def test_a_grouping_says_for_each_part_where_it_is_from_and_under_which_licence(name):
    assert all(part.source and part.licence for part in grouping(name).sources)


# One code within each category of the published table, and the categories' edges.
@pytest.mark.parametrize(
    ("code", "disease"),
    [
        *[("I21.4", "myocardial_infarction"), ("I25.2", "myocardial_infarction")],
        *[("I50.9", "congestive_heart_failure"), ("I42.5", "congestive_heart_failure"), ("I42.9", "congestive_heart_failure")],
        *[("I70.213", "peripheral_vascular"), ("Z95.9", "peripheral_vascular")],
        *[("I63.9", "cerebrovascular"), ("G45.9", "cerebrovascular"), ("I60.00", "cerebrovascular"), ("I69.354", "cerebrovascular")],
        *[("F00", "dementia"), ("F03.90", "dementia"), ("G30.9", "dementia")],
        *[("J44.1", "chronic_pulmonary"), ("J45.909", "chronic_pulmonary"), ("J67.9", "chronic_pulmonary")],
        *[("M05.79", "connective_tissue"), ("M34.9", "connective_tissue")],
        ("K27.9", "peptic_ulcer"),
        *[("K70.30", "mild_liver"), ("B18.2", "mild_liver"), ("K74.60", "mild_liver")],
        *[("E11.9", "diabetes"), ("E11.65", "diabetes"), ("E10.10", "diabetes")],
        *[("E11.22", "diabetes_end_organ"), ("E10.51", "diabetes_end_organ")],
        *[("G81.91", "hemiplegia"), ("G82.20", "hemiplegia"), ("G83.4", "hemiplegia")],
        *[("N18.30", "moderate_severe_renal"), ("Z99.2", "moderate_severe_renal"), ("I13.11", "moderate_severe_renal")],
        *[("C50.911", "tumour"), ("C00.0", "tumour"), ("C26.9", "tumour"), ("C76.8", "tumour")],
        *[("C91.10", "leukaemia"), ("C95.90", "leukaemia")],
        *[("C81.90", "lymphoma"), ("C90.00", "lymphoma")],
        *[("K72.90", "moderate_severe_liver"), ("I85.00", "moderate_severe_liver"), ("K76.6", "moderate_severe_liver")],
        *[("C77.0", "metastatic_tumour"), ("C80.1", "metastatic_tumour")],
        ("B20", "aids"),
    ],
)
def test_a_code_of_icd_10_shows_the_one_disease_whose_category_it_is_in(code, disease):
    assert shown(code) == {disease}
    assert shown(code, system=ICD10[1]) == {disease}


@pytest.mark.parametrize(
    "code", ["I20.9", "I25.10", "I42.1", "I10", "J48", "J68.3", "C44.90", "C42", "K71.6", "N17.9", "B23.1", "E11", "Z95.5"]
)
def test_a_code_outside_of_the_categories_shows_nothing(code):
    assert shown(code) == set()


@pytest.mark.parametrize(
    ("concept", "disease"),
    [
        ("22298006", {"myocardial_infarction"}),
        ("42343007", {"congestive_heart_failure"}),
        ("230690007", {"cerebrovascular"}),
        ("26929004", {"dementia"}),
        ("13645005", {"chronic_pulmonary"}),
        ("69896004", {"connective_tissue"}),
        ("19943007", {"mild_liver"}),
        ("34742003", {"moderate_severe_liver"}),
        ("44054006", {"diabetes"}),
        ("127013003", {"diabetes_end_organ"}),
        ("50582007", {"hemiplegia"}),
        ("431855005", {"moderate_severe_renal"}),
        ("254837009", {"tumour"}),
        ("93143009", {"leukaemia"}),
        ("118600007", {"lymphoma"}),
        ("128462008", {"metastatic_tumour"}),
        ("62479008", {"aids"}),
        ("59621000", set()),
        ("73430006", set()),
    ],
)
def test_a_concept_of_snomed_ct_shows_its_disease(concept, disease):
    assert shown(concept, system=SNOMED) == disease


def test_a_concept_is_in_more_than_one_group_only_where_its_name_says_both():
    groups = grouping("charlson").groups
    concepts = [concept for group in groups for concept in group.snomed]
    assert {concept for concept in concepts if concepts.count(concept) > 1} == {"442733008", "442024001", "194781004"}


def test_the_same_digits_of_another_system_show_nothing():
    assert shown("22298006") == set()
    assert shown("I21.4", system=SNOMED) == set()
    assert shown("I21.4", system="urn:oid:1.2.3") == set()


def test_a_translation_of_the_code_counts_as_well():
    known = {"Condition/1": {"code": {"system": "urn:local", "code": "x", "translations": [{"system": ICD10[0], "code": "I50.9"}]}}}
    assert present("charlson", known) == {"congestive_heart_failure": ("Condition/1",)}


def test_all_conditions_that_show_a_disease_are_its_evidence():
    known = {"Condition/1": condition("I50.1"), "Condition/2": condition("I10"), "Condition/3": condition("I50.9")}
    assert present("charlson", known) == {"congestive_heart_failure": ("Condition/1", "Condition/3")}


@pytest.mark.parametrize("status", ["unconfirmed", "provisional", "differential", "refuted", "entered_in_error"])
def test_a_condition_that_is_not_certain_does_not_count(status):
    assert present("charlson", {"Condition/1": condition("I50.9", verification_status=status)}) == {}


@pytest.mark.parametrize("status", ["inactive", "remission", "resolved"])
def test_what_is_over_counts_only_where_having_had_it_counts(status):
    over = {f"Condition/{code}": condition(code, clinical_status=status) for code in ("I50.9", "I21.4", "I63.9", "K25.9")}
    assert set(present("charlson", over)) == {"myocardial_infarction", "cerebrovascular", "peptic_ulcer"}


@pytest.mark.parametrize(
    ("code", "disease"),
    [
        ("N18.30", {"mild_liver_or_renal"}),
        ("N18.4", {"moderate_severe_liver_or_renal"}),
        ("K76.0", {"mild_liver_or_renal"}),
        ("K76.6", {"moderate_severe_liver_or_renal"}),
        ("C91.00", {"tumour"}),
        ("C81.00", {"tumour"}),
        ("C78.00", {"metastatic_tumour"}),
        ("I63.9", {"cerebrovascular"}),
        ("K25.9", set()),
        ("G81.90", set()),
    ],
)
def test_lace_parts_kidney_disease_by_stage_and_takes_the_rest_from_charlson(code, disease):
    assert shown(code, name="lace") == disease


def test_conditions_speak_for_models_of_case_management():
    assert shown("F20.0", name="care_model") == {"severe_mental_illness"}
    assert shown("13746004", system=SNOMED, name="care_model") == {"severe_mental_illness"}
    assert shown("127295002", system=SNOMED, name="care_model") == {"complex_trauma"}
    assert shown("F32.0", "S00.01XA", name="care_model") == set()


def test_synthetic_patients_have_the_diseases_that_their_records_name():
    found: dict[str, set[str]] = {}
    people: dict[str, dict[str, dict]] = {}
    for line in gzip.decompress(SYNTHEA.read_bytes()).splitlines():
        raw = parse(line)
        people.setdefault(raw["subject"]["reference"], {})[raw["id"]] = mapping_for(raw).extract(raw).fields
    for known in people.values():
        for disease, references in present("charlson", known).items():
            found.setdefault(disease, set()).update(known[reference]["code"]["display"] for reference in references)
    assert found == {
        "myocardial_infarction": {
            "Myocardial infarction (disorder)",
            "Acute ST segment elevation myocardial infarction (disorder)",
            "Acute non-ST segment elevation myocardial infarction (disorder)",
            "History of myocardial infarction (situation)",
        },
        "cerebrovascular": {"Stroke"},
        "diabetes_end_organ": {
            "Disorder of kidney due to diabetes mellitus (disorder)",
            "Microalbuminuria due to type 2 diabetes mellitus (disorder)",
            "Proteinuria due to type 2 diabetes mellitus (disorder)",
        },
        "moderate_severe_renal": {"Chronic kidney disease stage 1 (disorder)", "History of renal transplant (situation)"},
    }
    # The one cancer among them is over.


@pytest.mark.parametrize(
    ("group", "reason"),
    [
        ({"code": "x", "icd10": ["I5"]}, "a category of ICD-10"),
        ({"code": "x", "icd10": ["I69-I60"]}, "a category of ICD-10"),
        ({"code": "x", "icd10": ["I60-I69.1"]}, "a category of ICD-10"),
        ({"code": "x", "snomed": {"I60": "x"}}, "digits only"),
        ({"code": "x", "icd11": []}, "icd11"),
    ],
)
def test_a_bad_grouping_is_refused_by_its_place_and_the_reason(group, reason):
    content = {"id": "x", "version": "1", "title": "x", "sources": [], "groups": [group]}
    with pytest.raises(Invalid, match=r"^x\.json: ") as refused:
        decode("x.json", json.dumps(content).encode(), Grouping)
    assert reason in refused.value.text
    assert "$.groups[0]" in refused.value.text


def test_an_unknown_grouping_is_not_found():
    with pytest.raises(NotFound):
        grouping("elixhauser")
