"""What roles see is data that is checked when it is read; a site has its own."""

import json

import pytest

from adapter.access.policy import ANY, policies, policy_for
from adapter.access.viewer import Viewer
from adapter.care import check, follow_up
from adapter.errors import Forbidden, Invalid
from adapter.store.search_parameters import table


def viewer(role="insurer-reader", organisation=None):
    return Viewer(role, frozenset(), "HPAYMT", organisation)


def test_every_role_has_a_policy_of_types_that_there_are():
    found = policies(None)
    assert found.keys() == {"administrator", "auditor", "case-manager", "clinician", "insurer-reader", "new-payer", "supervisor"}
    for name, policy in found.items():
        listed = {*policy.open, *policy.types, *policy.by_target, *policy.by_characteristic, *policy.writes} - {ANY}
        assert listed <= table().keys(), name


def test_an_insurer_reads_care_and_writes_only_what_it_is_to_be_told_of():
    policy = policy_for(viewer())
    assert (policy.consent, policy.ties, policy.allowed) == ("opt-in", ("payor",), frozenset())
    assert policy.view("CarePlan") is not None
    assert policy.view("Communication") is None
    assert [type for type in table() if policy.may_write(type)] == ["Subscription"]


def test_a_role_without_a_policy_sees_nothing():
    with pytest.raises(Forbidden):
        policy_for(viewer("visitor"))


def test_a_site_and_an_organisation_have_their_own(tmp_path, monkeypatch):
    folder = tmp_path / "access"
    folder.mkdir()
    (folder / "insurer-reader.json").write_text(json.dumps({"title": "Ours", "consent": "opt-out"}))
    (folder / "insurer-reader.ehp.json").write_text(json.dumps({"title": "Theirs", "types": {"Patient": {"withheld": ["photo"]}}}))
    monkeypatch.setenv("CASEBRIDGE_CARE", str(tmp_path))
    check.refuse()
    assert follow_up.policy().id == "follow_up_1"
    assert policy_for(viewer()).title == policy_for(viewer(organisation="Organization/other")).title == "Ours"
    assert policy_for(viewer(organisation="Organization/ehp")).view("Patient").withheld == ("photo",)
    assert policy_for(viewer("auditor")).everybody


@pytest.mark.parametrize(
    "body",
    [
        {"everybody": True, "sensitive": ["*"]},
        {"everybody": True, "consent": "not-asked"},
        {"everybody": True, "consent": "not-asked", "sensitive": ["*"], "types": {"Observation": {"category": ["laboratory"]}}},
        {"sensitive": ["gossip"]},
        {"open": ["CarePlan"]},
        {"open": ["Subscription"]},
        {"types": {"Subscription": {}}},
        {"open": ["Provenance"], "by_target": ["Provenance"]},
        {"by_target": ["CarePlan"]},
        {"by_characteristic": ["CarePlan"]},
        {"by_characteristic": ["Group"], "types": {"Group": {}}},
        {"types": {"*": {"withheld": ["text"]}}},
        {"glass": -1},
        {"glass": 24 * 60 + 1},
        {"glass": 60, "everybody": True, "consent": "not-asked", "sensitive": ["*"]},
        {"colour": "blue"},
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(body, tmp_path):
    (tmp_path / "access").mkdir()
    (tmp_path / "access" / "odd.json").write_text(json.dumps({"title": "Odd", **body}))
    with pytest.raises(Invalid, match="access/odd.json"):
        policies(tmp_path)
