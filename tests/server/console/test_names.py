"""What a reference is called on a page."""

import pytest

from server.console.names import Names


@pytest.mark.parametrize("text", ["Anxiety/Depression", "https://dir.example/fhir/Practitioner/1", "Patient/nobody", "Kanarifugl"])
def test_what_leads_to_nothing_here_is_called_as_it_is_written(repository, text):
    assert Names(repository).of(text) == text
    assert "Anxiety" not in repository.database.list_collection_names()
