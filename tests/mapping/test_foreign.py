"""GetPut, as text, over resources that others made."""

from collections.abc import Iterable

import pytest

from adapter.fhir.resource import dumps, parse
from adapter.mapping.registry import TYPES, mapping_for
from tests.mapping.data import examples, synthea


def differences(texts: Iterable[bytes]) -> tuple[int, list[str]]:
    """How many resources of a mapped type there were, and which do not come back as they were."""
    mapped, wrong = 0, []
    for text in texts:
        raw = parse(text)
        mapping = mapping_for(raw)
        if mapping is None:
            continue
        mapped += 1
        before = dumps(raw)
        if dumps(mapping.overlay(raw, mapping.extract(raw).fields)) != before:
            wrong.append(f"{raw['resourceType']}/{raw['id']}")
    return mapped, wrong


def test_every_synthea_resource_of_a_mapped_type_comes_back_to_the_letter():
    mapped, wrong = differences(synthea())
    assert wrong == []
    assert mapped > 2_000


def test_every_r4_example_of_a_mapped_type_comes_back_to_the_letter():
    texts = examples()
    if not texts:
        pytest.skip("HL7's examples are not beside the project (../shared/examples)")
    mapped, wrong = differences(texts)
    assert wrong == []
    assert mapped > 200


def test_text_that_is_parsed_and_written_again_is_the_same_text():
    for text in synthea():
        assert dumps(parse(text)) == text.decode()


def test_every_mapped_type_is_of_fhir():
    assert all(type[0].isupper() for type in TYPES)
