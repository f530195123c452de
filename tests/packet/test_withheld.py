"""What is told of what is withheld: to the caller nothing that it does not have in hands, to a privacy officer everything, in numbers."""

import json
from dataclasses import replace
from datetime import UTC, datetime

from msgspec import structs

from adapter.access.policy import policies
from adapter.packet import forms
from adapter.packet.packet import Asked, packet
from adapter.packet.reach import named
from adapter.packet.withheld import Withheld
from adapter.store.sight import Sight

from .scene import DEPRESSION, INSURER, NOON, agreed, change, coverage, denied, insurers_sight, plan, to, told_of

NOW = Asked("river", datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
ELEMENTS = {Withheld("element", "Patient", element=name): None for name in ("contact", "photo")}
IN_FULL = {
    Withheld("type", "Flag"): 1,
    Withheld("sensitive", "Condition", "mental-health"): 1,
    Withheld("consent", "RiskAssessment", decided="Consent/yes Consent.provision.provision[0]"): 1,
    Withheld("about-withheld", "Provenance"): 1,
    Withheld("beyond-withheld", "Practitioner"): 1,
    Withheld("not-here", "Observation"): 1,
    Withheld("other-person", "Patient"): 1,
    **ELEMENTS,
}


def withheld(repository, asked=NOW, **more):
    return packet(repository, insurers_sight(repository), asked, **more).withheld


def test_a_caller_is_told_where_its_own_references_lead_to_nothing_and_that_there_may_be_more(repository):
    assert withheld(repository) == {
        Withheld("type", "Flag"): 1,
        Withheld("not-shown", "Condition"): 1,
        Withheld("not-shown", "Observation"): 1,
        Withheld("not-shown", "Patient"): 1,
        Withheld("not-shown", "RiskAssessment"): 1,
        **ELEMENTS,
        Withheld("consent"): None,
        Withheld("sensitive"): None,
    }


def test_what_a_provenance_tells_of_beside_is_not_withheld(repository):
    before = withheld(repository)
    repository.commit([change("Provenance/more", told_of("CarePlan/now", "CarePlan/before"))])
    made = packet(repository, insurers_sight(repository), NOW)
    assert "Provenance/more" in {named(row) for row in made.rows}
    assert made.withheld == before


def test_a_privacy_officer_is_told_all_by_rule_category_and_consent(repository):
    assert withheld(repository, in_full=True) == IN_FULL


def test_a_role_whose_policy_says_so_is_told_all_but_whose_consents(repository):
    policy = structs.replace(policies(None)["insurer-reader"], account="full")
    made = packet(repository, Sight(repository.database, INSURER, policy, NOON, frozenset()), NOW)
    assert made.withheld == {replace(each, decided=""): count for each, count in IN_FULL.items()}
    assert "Consent/" not in json.dumps([part for part in forms.account(made)["parameter"] if part["name"] == "withheld"])


def test_what_nobody_permitted_is_told_from_what_was_denied(repository):
    plans = {
        "type": "permit",
        "class": [{"system": "http://hl7.org/fhir/resource-types", "code": type} for type in ("Patient", "CarePlan")],
    }
    repository.commit([change("Consent/yes", agreed(denied("Goal"), provision={"provision": [plans, denied("Goal")]}), 1)])
    rules = {(each.rule, each.type) for each in withheld(repository, in_full=True)}
    assert {("consent", "Goal"), ("no-consent", "CareTeam"), ("no-consent", "Coverage"), ("no-consent", "Condition")} <= rules


def test_what_is_withheld_changes_nothing_of_what_a_caller_gets(repository):
    """A plan of a sensitive kind, one that was denied and another coverage: the packet is the same to the letter."""
    labelled = [{"coding": [DEPRESSION]}]
    before = packet(repository, insurers_sight(repository), NOW)
    hidden = plan(start="2025-02-01", category=labelled, goal=[to("Goal/walk")], supportingInfo=[to("Flag/hidden")])
    repository.commit(
        [
            change("CarePlan/hidden", hidden),
            change("Flag/hidden", {"status": "active", "subject": to("Patient/river"), "code": {"coding": [DEPRESSION]}}),
        ]
    )
    repository.commit([change("RiskAssessment/more", {"status": "final", "subject": to("Patient/river"), "basis": [to("CarePlan/now")]})])
    after = packet(repository, insurers_sight(repository), NOW)
    assert after == before
    full = packet(repository, insurers_sight(repository), NOW, in_full=True).withheld
    assert full[Withheld("sensitive", "CarePlan", "mental-health")] == 1
    assert full[Withheld("type", "Flag", "mental-health")] == 1


def test_where_the_glass_was_broken_nothing_is_withheld_by_consent(repository):
    broken = replace(
        INSURER, role="clinician", references=frozenset(("Practitioner/new",)), purpose="BTG", glass=frozenset(("Patient/river",))
    )
    made = packet(repository, insurers_sight(repository, broken), NOW, in_full=True)
    assert {each.rule for each in made.withheld} == {"not-here", "other-person"}
    own = packet(repository, insurers_sight(repository, broken), NOW).withheld
    assert {each.rule for each in own} == {"not-shown"}


def test_the_account_in_full_adds_up(repository):
    made = packet(repository, insurers_sight(repository), NOW, in_full=True)
    everything = packet(repository, None, NOW)
    apart = ("element", "not-here", "other-person", "outside-cover")
    assert len(made.rows) + sum(count or 0 for each, count in made.withheld.items() if each.rule not in apart) == len(everything.rows)


def test_a_second_coverage_of_another_insurer_is_not_told(repository):
    before = packet(repository, insurers_sight(repository), NOW)
    repository.commit([change("Coverage/second", coverage("river", "other"))])
    assert packet(repository, insurers_sight(repository), NOW) == before
