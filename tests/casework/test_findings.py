"""Findings of a screening that is kept: proposed until a person speaks, and then conditions with their Provenance (C-19)."""

import pytest

from adapter.casework.cases import open_case
from adapter.casework.findings import decide, waiting
from adapter.casework.records import read, save
from adapter.errors import NotFound, RuleViolated
from tests.casework.conftest import case
from tests.mapping.test_findings import HUNGRY, ID

REVIEW = {"sources": ["medical_records"], "reviewed_at": "2025-04-15T08:00:00Z", "summary": "Kanarifugl"}
DOMAINS = {name: {"status": "reviewed"} for name in ("medical", "financial", "living", "social")}


@pytest.fixture
def screening(desk):
    opened = open_case(desk, case())
    fields = {**HUNGRY, "client": "Patient/alma", "case": opened.reference, "record_review": REVIEW, "domains": DOMAINS}
    save(desk.repository, "screening", ID, {**fields, "disposition": "proceed"}, synthetic=True)
    return ID


def test_c19_a_finding_waits_and_is_no_condition_yet(desk, screening):
    (finding,) = waiting(desk.repository, screening)
    assert finding.domain == "food"
    assert desk.repository.find("Condition", finding.id) is None
    observation = finding.fields["evidence"][0].partition("/")[2]
    assert desk.repository.find("Observation", observation).raw["code"]["coding"][0]["code"] == "88122-7"


def test_c19_confirmed_it_is_a_condition_of_the_case_with_its_evidence_and_provenance(desk, screening):
    (finding,) = waiting(desk.repository, screening)
    kept = decide(desk, screening, finding.id, holds=True)
    assert (kept.id, kept.fields["verification_status"], kept.fields["asserter"]) == (finding.id, "confirmed", desk.actor.reference)
    raw = desk.repository.read("Condition", finding.id).raw
    assert [each["detail"][0]["reference"] for each in raw["evidence"]] == finding.fields["evidence"]
    signed = [stored.raw for stored in desk.repository.scan("Provenance")]
    own = [each for each in signed if each["target"][0]["reference"] == f"Condition/{finding.id}/_history/1"]
    assert [each["activity"]["coding"][0]["code"] for each in own] == ["confirm-finding"]
    assert waiting(desk.repository, screening) == []


def test_refuted_it_is_kept_and_not_proposed_again(desk, screening):
    (finding,) = waiting(desk.repository, screening)
    assert decide(desk, screening, finding.id, holds=False, reason="Kanarifugl").fields["verification_status"] == "refuted"
    assert waiting(desk.repository, screening) == []
    with pytest.raises(RuleViolated):
        decide(desk, screening, finding.id, holds=True)
    assert read(desk.repository, "condition", finding.id).fields["verification_status"] == "refuted"


def test_what_the_screening_does_not_show_cannot_be_decided(desk, screening):
    with pytest.raises(NotFound):
        decide(desk, screening, "another", holds=True)
    with pytest.raises(NotFound):
        waiting(desk.repository, "another")
