"""Payer to payer: another insurer asks for its new members, and exports the records of those who let it, as far as they let it."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest

from adapter.access.policy import policy_for
from adapter.config import EXT
from adapter.errors import Forbidden, Invalid, NotFound
from adapter.mapping.registry import MAPPINGS
from adapter.sync.exporting.exports import Exports

from ..fhir import patient
from .insurers import asks, consent, coverage, exported, named, reader
from .people import of

NEW = reader("new", "new-payer")
PLAN = "https://old.example/members"
USE = "exportType=hl7.fhir.us.davinci-pdex%23payertopayer"
DENIED = {"provision": {"type": "deny"}}
PEOPLE = ("river", "alma", "wren", "noor")


def person(id):
    return patient(id, id=id, birthDate="1994-05-06", gender="female")


def insured(id):
    return coverage(id, "old", identifier=[{"system": PLAN, "value": f"m-{id}"}])


def bill(id):
    return {
        "resourceType": "ExplanationOfBenefit",
        "id": f"bill-{id}",
        "status": "active",
        "type": {"text": "Kanarifugl"},
        "use": "claim",
        "patient": {"reference": f"Patient/{id}"},
        "created": "2025-04-22",
        "insurer": {"reference": "Organization/old"},
        "provider": {"display": "Kanarifugl"},
        "outcome": "complete",
        "insurance": [{"focal": True, "coverage": {"reference": f"Coverage/coverage-{id}"}}],
        "total": [{"category": {"text": "Kanarifugl"}, "amount": {"value": 12.5}}],
    }


def bundle(id, **more):
    """What the new insurer sends of a person: not knowing our ids, with the consent that it was given."""
    sent = {**consent(id, "new"), **more}
    parts = {"MemberPatient": person(id) | {"id": "theirs"}, "CoverageToMatch": insured(id), "Consent": sent}
    return {"name": "MemberBundle", "part": [{"name": name, "resource": raw} for name, raw in parts.items()]}


@pytest.fixture
def stored(scene, make):
    """River lets the new insurer read; Alma anybody who is entitled; Wren another; Noor did, until 2020."""
    make(*(raw for id in PEOPLE for raw in (person(id), *of(id)[1:], insured(id), bill(id))))
    make(consent("river", "new"), consent("alma"), consent("wren", "other"), consent("noor", "new", period={"end": "2020-12-31"}))
    return scene


@pytest.fixture
def ask(stored):
    return asks(stored, NEW)


def matched(ask, *bundles):
    """The Groups of an answer, by parameter."""
    answer = ask("Group/$bulk-member-match", "POST", {"resourceType": "Parameters", "parameter": [*bundles]})
    return {each["name"]: each["resource"] for each in json.loads(answer.text)["parameter"]}


def meant(group):
    """The numbers that were asked about, and the references that they led to."""
    asked = {f"#{raw['id']}": raw["identifier"][0]["value"] for raw in group.get("contained", ())}
    entities = [each["entity"] for each in group.get("member", ())]
    return {asked[each["extension"][0]["valueReference"]["reference"]]: each["reference"] for each in entities}


def test_who_let_the_new_insurer_is_matched_and_nobody_else_is_known(ask):
    found = matched(ask, *map(bundle, PEOPLE), bundle("stranger"), bundle("river", status="inactive"), bundle("river", **DENIED))
    assert meant(found["MatchedMembers"]) == {"river": "Patient/river"}
    assert meant(found["NonMatchedMembers"]).keys() == {"alma", "wren", "noor", "stranger"}
    assert all(
        reference.startswith("#")
        for name in ("NonMatchedMembers", "ConsentConstrainedMembers")
        for reference in meant(found[name]).values()
    )
    assert meant(found["ConsentConstrainedMembers"]).keys() == {"river"}
    codes = {name: group["code"]["coding"][0]["code"] for name, group in found.items()}
    assert codes == {"MatchedMembers": "match", "NonMatchedMembers": "nomatch", "ConsentConstrainedMembers": "consentconstraint"}


def test_whose_consent_it_sent_makes_no_difference_to_who_is_seen(stored, ask):
    """A Consent that the asker brings is its word, and opens nothing."""
    assert meant(matched(ask, bundle("alma"))["MatchedMembers"]) == {}
    assert named(ask("Patient")).keys() == {"Patient/river"}
    assert stored.repository.collection("Consent").count_documents({}) == len(PEOPLE)


def test_the_group_is_exported_for_the_new_insurer_without_what_was_paid(stored, ask):
    group = matched(ask, *map(bundle, PEOPLE))["MatchedMembers"]
    told = json.loads(ask(f"Group/{group['id']}").text)
    assert told["member"] == [{"entity": {"reference": "Patient/river"}}]
    found = exported(stored, ask(f"Group/{group['id']}/$davinci-data-export?{USE}"))
    wanted = {"Patient/river", "CarePlan/plan-river", "Observation/weight-river", "Coverage/coverage-river", "Provenance/who-river"}
    assert wanted | {"ExplanationOfBenefit/bill-river"} <= found.keys()
    assert "total" not in found["ExplanationOfBenefit/bill-river"]
    assert not [name for name in found if name.endswith(PEOPLE[1:]) and not name.startswith(("Practitioner/", "PractitionerRole/"))]
    everything = exported(stored, ask("Patient/$export"))
    assert found == everything


def test_each_amount_that_the_record_has_is_withheld_or_the_manual_says_that_it_is_told():
    seen = policy_for(NEW)
    rows = [(mapping.type, row) for mapping in MAPPINGS for rule in mapping.rules for row in rule.rows() if "money" in row.kind]
    told = {row.path for type, row in rows if (view := seen.view(type)) and re.split(r"[.\[]", row.path)[0] not in view.withheld}
    names = {re.match(rf"extension\[url={re.escape(EXT)}/([a-z-]+)\]", path)[1] for path in told}
    assert names == {"estimated-cost", "option-choice", "cost-outcome"}
    manual = (Path(__file__).parents[3] / "docs" / "export.md").read_text(encoding="utf-8")
    assert all(f"extension `{name}`" in manual.replace("\n", " ") for name in names)
    assert len(told) < len({row.path for _, row in rows})


def test_a_use_narrows_what_the_export_holds(stored, ask):
    group = matched(ask, bundle("river"))["MatchedMembers"]["id"]
    listed = exported(stored, ask(f"Group/{group}/$davinci-data-export?exportType=hl7.fhir.us.davinci-atr"))
    assert listed.keys() == {"Patient/river", "Coverage/coverage-river"}
    now = stored.repository.clock()
    # Five years on, what has not changed since is not told any more; without a use it is.
    stored.repository.clock = lambda: now + timedelta(days=5 * 365 + 2)
    assert exported(stored, ask(f"Group/{group}/$davinci-data-export?{USE}")) == {}
    assert "Patient/river" in exported(stored, ask(f"Group/{group}/$davinci-data-export"))
    for wrong in ("exportType=hl7.fhir.us.davinci-pdex%23provider-delta", "exportType=hl7.fhir.us.davinci-atr&_type=CarePlan"):
        with pytest.raises(Invalid):
            ask(f"Group/{group}/$davinci-data-export?{wrong}")


def test_what_was_deleted_is_told_to_who_asks_since_when_and_not_for_a_use(stored, ask):
    group = matched(ask, bundle("river"))["MatchedMembers"]["id"]
    stored.fhir.send("DELETE", "CarePlan/plan-river")
    told = {}
    for since in ("", "&_since=2000-01-01T00:00:00Z"):
        begun = ask(f"Group/{group}/$davinci-data-export?{USE}{since}")
        stored.write()
        [export] = [each for each in Exports(stored.repository).all() if each.id in str(begun.location)]
        told[since] = [made.type for made in export.files if made.kind == "deleted"]
    assert told == {"": [], "&_since=2000-01-01T00:00:00Z": ["Bundle"]}


def test_who_takes_the_consent_back_is_in_no_group_any_more(stored, ask, make):
    group = matched(ask, bundle("river"))["MatchedMembers"]["id"]
    make(consent("river", "new", status="inactive"))
    assert "member" not in json.loads(ask(f"Group/{group}").text)
    assert exported(stored, ask(f"Group/{group}/$davinci-data-export?{USE}")) == {}
    assert meant(matched(ask, bundle("river"))["MatchedMembers"]) == {}
    make(
        consent(
            "river",
            "new",
            period={"start": "2020-01-01"},
            **{"class": [{"system": "http://hl7.org/fhir/resource-types", "code": "Patient"}]},
        )
    )
    assert exported(stored, ask(f"Group/{group}/$davinci-data-export?{USE}")).keys() == {"Patient/river"}


def test_a_group_is_for_whoever_asked_alone_and_goes_to_no_remote(stored, ask, make):
    make(consent("river", "new", "third"))
    group = matched(ask, bundle("river"))["MatchedMembers"]["id"]
    third = asks(stored, reader("third", "new-payer"))
    assert named(third("Patient")).keys() == {"Patient/river"}
    with pytest.raises(NotFound):
        third(f"Group/{group}")
    found = stored.repository.find("Group", group)
    assert (found.born, found.outbox) == ("casebridge.insurers", ())


@pytest.mark.parametrize("viewer", [reader("ins"), reader("ins", "clinician"), reader("ins", "supervisor")])
def test_only_another_insurer_asks_for_its_new_members(stored, viewer):
    with pytest.raises(Forbidden):
        matched(asks(stored, viewer), bundle("river"))


def test_where_nobody_is_asked_who_they_are_members_are_found_as_everybody_is(stored):
    """A sandbox: what is sent alone decides."""
    body = {"resourceType": "Parameters", "parameter": [bundle("alma"), bundle("stranger"), bundle("wren", **DENIED)]}
    answer = stored.fhir.send("POST", "Group/$bulk-member-match", body)
    found = {each["name"]: each["resource"] for each in answer.json["parameter"]}
    assert {name: [*meant(group)] for name, group in found.items()} == {
        "MatchedMembers": ["alma"],
        "NonMatchedMembers": ["stranger"],
        "ConsentConstrainedMembers": ["wren"],
    }
    assert "Patient/alma" in stored.ids(f"Group/{found['MatchedMembers']['id']}/$davinci-data-export?{USE}")


def test_an_identifier_alone_matches_nobody(ask):
    other = bundle("river")
    other["part"][0]["resource"] = {**person("river"), "birthDate": "1994-05-07"}
    assert meant(matched(ask, other)["MatchedMembers"]) == {}
