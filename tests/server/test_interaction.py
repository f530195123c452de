"""What logs and metrics may say of a request comes from closed lists, whatever is asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.store.search_parameters import table
from server.fhir.operations.registry import OPERATIONS
from server.interaction import interaction


@pytest.mark.parametrize(
    ("method", "path", "name", "type"),
    [
        ("GET", "/fhir/metadata", "capabilities", ""),
        ("OPTIONS", "/fhir", "capabilities", ""),
        ("POST", "/fhir", "transaction", ""),
        ("POST", "/fhir/", "transaction", ""),
        ("GET", "/fhir", "search-system", ""),
        ("POST", "/fhir/_search", "search-system", ""),
        ("GET", "/fhir/_history", "history-system", ""),
        ("GET", "/fhir/Patient", "search-type", "Patient"),
        ("HEAD", "/fhir/Patient", "search-type", "Patient"),
        ("POST", "/fhir/Patient/_search", "search-type", "Patient"),
        ("GET", "/fhir/Patient/1/Observation", "search-type", "Observation"),
        ("POST", "/fhir/Patient/1/Observation/_search", "search-type", "Observation"),
        ("GET", "/fhir/Patient/_history", "history-type", "Patient"),
        ("GET", "/fhir/Patient/1", "read", "Patient"),
        ("HEAD", "/fhir/Patient/1", "read", "Patient"),
        ("GET", "/fhir/Patient/Observation", "read", "Patient"),
        ("GET", "/fhir/Patient/1/_history", "history-instance", "Patient"),
        ("GET", "/fhir/Patient/1/_history/2", "vread", "Patient"),
        ("POST", "/fhir/Patient", "create", "Patient"),
        ("PUT", "/fhir/Patient", "update", "Patient"),
        ("PUT", "/fhir/Patient/1", "update", "Patient"),
        ("PATCH", "/fhir/Patient/1", "patch", "Patient"),
        ("DELETE", "/fhir/Patient", "delete", "Patient"),
        ("DELETE", "/fhir/Patient/1", "delete", "Patient"),
        ("GET", "/fhir/Patient/1/$everything", "$everything", "Patient"),
        ("POST", "/fhir/Patient/$validate", "$validate", "Patient"),
        ("GET", "/fhir/$export", "$export", ""),
        ("GET", "/fhir/Group/1/$export", "$export", "Group"),
        ("GET", "/fhir/$export-status/1", "export-status", ""),
        ("DELETE", "/fhir/$export-status/1", "export-cancel", ""),
        ("GET", "/fhir/$export-file/1/Kanarifugl.ndjson", "export-file", ""),
        ("GET", "/fhir/Patient/1/$kanarifugl", "other", "Patient"),
        ("GET", "/fhir/Kanarifugl/1", "other", ""),
        ("KANARIFUGL", "/fhir/Patient/1", "other", "Patient"),
        ("GET", "/fhir/Patient/1/2/3/4", "other", "Patient"),
        ("GET", "/fhirs/Patient/1", "other", ""),
        ("GET", "/health", "other", ""),
    ],
)
def test_a_request_is_known_by_fhirs_name_for_it(method, path, name, type):
    assert interaction(method, path) == (name, type)


def test_every_operation_goes_by_its_name():
    for id in OPERATIONS:
        type, _, code = id.partition("-")
        assert interaction("POST", f"/fhir/{'Patient' if type == 'Resource' else type}/${code}")[0] == f"${code}"


SEGMENTS = st.text(max_size=12) | st.sampled_from(
    ["fhir", "Patient", "_history", "_search", "metadata", "$everything", "$", "", "Kanarifugl"]
)


@given(st.text(max_size=8) | st.sampled_from(["GET", "POST"]), st.lists(SEGMENTS, max_size=6).map(lambda parts: "/" + "/".join(parts)))
def test_nothing_that_a_caller_makes_up_comes_out(method, path):
    name, type = interaction(method, path)
    assert type in table() or not type
    assert name.replace("-", "").replace("$", "").isalpha()
    assert "kanarifugl" not in f"{name}{type}".casefold()
