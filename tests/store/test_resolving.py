"""What a reference leads to: only to what R4 has a type for is looked, whatever somebody wrote."""

import pytest

from adapter.store.documents import Change
from adapter.store.resolving import resolve

ABSOLUTE, UUID = "https://dir.example/fhir/Organization/o", "urn:uuid:8c1d0c0e-6a0f-5b55-9d6f-0b6f5ad0e1f3"


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("Organization/o", "Organization/o"),
        ("Organization/o/_history/7", "Organization/o"),
        *((text, None) for text in ("Organization/other", ABSOLUTE, UUID, "#o", "Organization", "Anxiety/Depression", "", None)),
    ],
)
def test_a_relative_reference_leads_to_the_current_version_and_any_other_text_nowhere(repository, database, reference, found):
    repository.commit([Change("Organization", "o", {"resourceType": "Organization", "name": "Kanarifugl"}, 0)])
    stored = resolve(repository, reference)
    assert (stored and stored.reference) == found
    assert "Anxiety" not in database.list_collection_names()
