"""Why something is in a case, and whether it helped: the chain of F-RIVER's physical therapy, by function and by FHIR."""

import pytest

from adapter.cases.story import parse
from adapter.casework.stories import load_story
from adapter.casework.trace import trace
from adapter.errors import Invalid
from adapter.fhir.resource import parse as parse_json
from server import create_app
from tests.mapping.data import FIXTURES


@pytest.fixture
def river(repository):
    told = parse(parse_json((FIXTURES / "cases" / "river.json").read_bytes()))
    return load_story(repository, told).case.partition("/")[2]


@pytest.fixture
def therapy(repository, river):
    [found] = [
        stored.reference for stored in repository.scan("ServiceRequest") if "physical therapy" in stored.record.get("description", "")
    ]
    return found


def test_a_service_leads_back_to_the_answers_that_it_rests_on(repository, river, therapy):
    links = trace(repository, river, therapy).why
    chain = [(link.relation, link.concept) for link in links]
    for step in (
        ("serves", "goal"),
        ("is because of", "condition"),
        ("was weighed in", "risk_evaluation"),
        ("rests on", "response"),
        ("scored", "score"),
        ("was answered", "answer"),
    ):
        assert step in chain, step
    assert any(link.what.startswith("44261-6: ") for link in links), "the PHQ-9's total"


def test_a_service_leads_on_to_its_sessions_the_contacts_and_the_outcome(repository, river, therapy):
    links = trace(repository, river, therapy).helped
    assert [link.concept for link in links if link.relation == "was scheduled as"] == ["appointment"] * 2
    assert {link.concept for link in links} >= {"appointment", "authorisation", "follow_up", "outcome"}
    assert links[-1].concept == "outcome"


def test_each_link_says_who_made_which_version_and_when(repository, river, therapy):
    """C-03"""
    found = trace(repository, river, therapy)
    dana = repository.read("EpisodeOfCare", river).record["case_manager"]
    for link in (*found.why, *found.helped):
        assert (link.by, link.version >= 1, link.made is not None) == (dana, True, True), link


def test_what_is_not_of_the_case_is_refused(repository, river):
    with pytest.raises(Invalid):
        trace(repository, river, "ServiceRequest/nothing")


def test_fhir_tells_the_same_chain(repository, river, therapy):
    client = create_app(repository).test_client()
    answer = client.get(f"/fhir/EpisodeOfCare/{river}/$case-trace?element={therapy}")
    assert answer.status_code == 200
    told = trace(repository, river, therapy)
    names = [parameter["name"] for parameter in answer.json["parameter"]]
    assert (names.count("why"), names.count("helped")) == (len(told.why), len(told.helped))
    assert client.get(f"/fhir/EpisodeOfCare/{river}/$case-trace?element=x").status_code == 400
    assert client.get(f"/fhir/EpisodeOfCare/{river}/$case-trace").status_code == 400
