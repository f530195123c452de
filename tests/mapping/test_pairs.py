"""Golden pairs: what a record looks like as a resource, readable by a person, and back."""

from pathlib import Path

import pytest

from adapter.cases.registry import RECORDS
from adapter.fhir.resource import check_structure, dumps, parse
from adapter.mapping.registry import mapping_for
from tests.mapping.data import FIXTURES

PAIRS = sorted((FIXTURES / "pairs").glob("*/*.fhir.json"))
every_pair = pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}/{path.name.partition('.')[0]}")


def pair(path: Path):
    fhir = parse(path.read_bytes())
    mapping = mapping_for(fhir)
    assert mapping is not None
    return mapping, fhir, parse(path.with_name(path.name.replace(".fhir.", ".case.")).read_bytes())


@every_pair
def test_the_resource_reads_as_the_record(path):
    mapping, fhir, case = pair(path)
    assert mapping.concept == path.parent.name
    assert mapping.extract(fhir).fields == case


@every_pair
def test_the_resource_comes_back_to_the_letter(path):
    mapping, fhir, case = pair(path)
    assert dumps(mapping.overlay(fhir, case)) == dumps(fhir)


@every_pair
def test_the_resource_is_valid_r4(path):
    check_structure(parse(path.read_bytes()))


@pytest.mark.parametrize("path", [path for path in PAIRS if path.name.startswith("full")], ids=lambda path: path.parent.name)
def test_the_record_alone_makes_the_resource(path):
    mapping, fhir, case = pair(path)
    made = mapping.overlay(None, case)
    assert made == {name: value for name, value in fhir.items() if name != "id"}


@pytest.mark.parametrize("concept", RECORDS)
def test_every_concept_has_a_full_pair_with_all_its_fields(concept):
    found = set()
    for path in (FIXTURES / "pairs" / concept).glob("full*.case.json"):
        found |= parse(path.read_bytes()).keys()
    missing = set(RECORDS[concept].keys()) - RECORDS[concept].LOCAL - found
    assert not missing
