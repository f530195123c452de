"""Whatever a client writes as a search, it gets a Bundle or an outcome."""

from urllib.parse import urlencode

import hypothesis
import pytest
from hypothesis import strategies as st

from adapter.store.query import CONTROLS, UNSERVED
from adapter.store.search_parameters import parameters
from server import create_app

from .fhir import Fhir, fuzzed, patient

TYPES = ("Patient", "Observation", "CarePlan", "ValueSet", "DocumentReference", "RiskAssessment")
codes = st.sampled_from(sorted({name for type in TYPES for name in parameters(type)} | CONTROLS | {*UNSERVED} | {"_has", "_list"}))
modifiers = st.sampled_from(
    ("", ":missing", ":not", ":exact", ":contains", ":text", ":in", ":not-in", ":above", ":below", ":identifier", ":Patient")
)
steps = st.sampled_from(
    ("", ".name", ".subject.name", ":Patient.family", ":Observation:patient:code", ":Observation:subject:_has:x:y:z", ".")
)
names = st.builds("".join, st.tuples(codes, modifiers, steps)) | st.text(max_size=12)
pieces = st.sampled_from(
    ("1", "ge2020", "le", "|", ",", "$", "\\", "5.4", "1e999", "9" * 40, "*", "Patient:organization", "-", "_id", "true", "%", "(?", "\x00")
)
values = st.lists(pieces | st.text(max_size=6), max_size=4).map("".join)
queries = st.lists(st.tuples(names, values), min_size=1, max_size=4)


@pytest.fixture
def fhir(repository):
    fhir = Fhir(create_app(repository).test_client())
    fhir.create(patient())
    return fhir


@hypothesis.given(st.sampled_from((*TYPES, "", "Patient/1/Observation")), queries, st.sampled_from(("strict", "lenient")))
@fuzzed(150)
def test_any_search_gets_a_bundle_or_an_outcome(fhir, path, query, handling):
    encoded = urlencode(query, errors="surrogatepass")
    answer = fhir.send("GET", f"{path}?{encoded}", Prefer=f"handling={handling}")
    assert answer.status_code in (200, 400, 404, 406), answer.text
    assert answer.json["resourceType"] == ("Bundle" if answer.status_code == 200 else "OperationOutcome")
