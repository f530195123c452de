"""What the case API returns and what FHIR returns never disagree: whichever of them is written, both say the same."""

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.cases.registry import RECORDS
from adapter.errors import Invalid
from adapter.fhir.resource import dumps, parse
from adapter.mapping.registry import faces, mapping_for, mappings_of
from server.api.paths import path_of
from tests.server.fhir import Fhir, fuzzed

from .bodies import record
from .conftest import CaseApi, person

EXAMPLES = 5
# A rule of case management may refuse what is made at random; then there is nothing to compare.
REFUSED = (400, 409, 422)
FREE = ("setting_type", "managing_organization", "referrals", "team", "close_reason", "eligibility_markers", "opened_at")


@pytest.fixture
def doors(client):
    api = CaseApi(client)
    api.put_new("case-managers/dana", person("dana"))
    return api, Fhir(client)


def shared(concept, kept):
    """The fields that both have: without what is kept only here."""
    return {name: value for name, value in kept.items() if name not in ("id", "meta", *RECORDS[concept].LOCAL)}


def whole(concept):
    """A strategy for records. Few cases made at random may be opened: their models and diagnoses have rules of their own."""
    kind = RECORDS[concept]
    if concept != "case":
        return record(kind)
    models = [{"model": "brokerage", "primary": True}]
    plain = {"case_number": "N-1", "case_type": "general", "models": models}
    return st.tuples(record(kind), st.uuids()).map(
        lambda pair: {**{name: pair[0][name] for name in pair[0] if name in FREE}, **plain, "client": f"Patient/{pair[1]}"}
    )


@pytest.mark.parametrize("concept", RECORDS)
@fuzzed(EXAMPLES)
@given(data=st.data())
def test_what_the_api_writes_fhir_reads(doors, concept, data):
    api, fhir = doors
    sent = data.draw(whole(concept))
    answer = api.send("POST", path_of(concept), dumps(sent))
    assert answer.status_code == 201 or answer.status_code in REFUSED, answer.text
    hypothesis.assume(answer.status_code == 201)
    kept = parse(answer.data)
    assert {name: kept[name] for name in sent} == sent
    read = {}
    for mapping in faces(concept, kept):
        raw = parse(fhir.send("GET", f"{mapping.type}/{kept['id']}").data)
        assert mapping_for(raw) is mapping
        read |= mapping.extract(raw).fields
    assert read == shared(concept, kept)


@pytest.mark.parametrize("concept", [concept for concept in RECORDS if len(mappings_of(concept)) == 1])
@fuzzed(EXAMPLES)
@given(data=st.data())
def test_what_fhir_writes_the_api_reads(doors, concept, data):
    api, fhir = doors
    [mapping] = mappings_of(concept)
    fields = shared(concept, data.draw(whole(concept)))
    try:
        raw = mapping.overlay(None, {"status": "active", **fields} if concept == "case" else fields)
    except Invalid:
        hypothesis.reject()
    hypothesis.assume(mapping_for(raw) is mapping)
    answer = fhir.send("POST", mapping.type, dumps(raw))
    assert answer.status_code == 201 or answer.status_code in REFUSED, answer.text
    hypothesis.assume(answer.status_code == 201)
    stored = parse(answer.data)
    got = api.send("GET", f"{path_of(concept)}/{stored['id']}")
    kept = parse(got.data)
    assert shared(concept, kept) == mapping.extract(stored).fields
    assert kept["meta"]["updated"] == stored["meta"]["lastUpdated"]
    assert got.headers["ETag"] == answer.headers["ETag"]
