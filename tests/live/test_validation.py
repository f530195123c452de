"""What casebridge publishes and produces, by HL7's own validator: no error, and no warning that docs/validation.md does not explain."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.casework import referrals, transitions
from adapter.casework.desk import Actor, Desk
from adapter.casework.records import put
from adapter.casework.stories import load_story
from adapter.fhir.resource import Raw, parse
from adapter.ig.package import published
from adapter.ig.profiles import profile_url
from adapter.mapping.claims import claimed
from adapter.mapping.derived import derived
from adapter.mapping.registry import mapping_for
from adapter.store.repository import Repository
from tests.live.validator import Issue, validate
from tests.mapping.data import FIXTURES
from tests.sync.test_stories import STORIES, story

EXPLAINED = Path(__file__).parents[2] / "docs" / "validation.md"
PACKAGES = ("hl7.fhir.us.core#6.1.0", "hl7.fhir.us.mcc#1.0.0-src", "hl7.fhir.us.sdoh-clinicalcare#2.3.0")
MCC = "http://hl7.org/fhir/us/mcc/StructureDefinition"


def explained() -> list[str]:
    """Parts of warnings, by the table of the document that explains them."""
    return re.findall(r"^\| `(.+?)` \|", EXPLAINED.read_text("utf-8").partition("## Warnings")[2], re.MULTILINE)


def under_own_profile(raw: Raw) -> Raw:
    """The resource with the profile of its concept added to those that it claims, so that it is held to both."""
    mapping = mapping_for(raw)
    meta = raw.get("meta") or {}
    return {**raw, "meta": {**meta, "profile": [*meta.get("profile", []), profile_url(mapping)]}} if mapping else raw


def derived_of(raw: Raw) -> list[Raw]:
    """What follows from the record that the resource is; but of a programme's answer, whose codes are SDOH Clinical Care 3.0.0's."""
    mapping = mapping_for(raw)
    if mapping is None or mapping.concept == "programme_application":
        return []
    return derived(mapping.concept, "full", mapping.type, mapping.extract(raw).fields)


@pytest.fixture(scope="module")
def issues() -> Callable[[list[Raw]], list[tuple[str, Issue]]]:
    """What is said of resources, each with the resource's name."""

    def judged(resources: list[Raw]) -> list[tuple[str, Issue]]:
        found = validate(resources, igs=PACKAGES)
        return [(f"{resources[each.resource]['resourceType']}/{resources[each.resource].get('id', '')}", each) for each in found]

    return judged


def unexplained(found: list[tuple[str, Issue]]) -> str:
    """Errors, and warnings that no row of the document explains, a line each."""
    known = explained()
    return "\n".join(
        f"{issue.severity} {name} {issue.location}: {issue.message}"
        for name, issue in found
        if issue.is_error or (issue.severity == "warning" and not any(part in issue.message for part in known))
    )


def test_the_package_is_valid(issues: Any) -> None:
    assert unexplained(issues(list(published().values()))) == ""


def test_what_the_stories_produce_is_valid_by_r4_and_by_the_profiles_that_it_claims(database: Any, issues: Any) -> None:
    repository = Repository(database)
    for name in STORIES:
        load_story(repository, story(name))
    stored = [each for type in repository.types() for each in repository.scan(type) if not each.deleted]
    claims = {profile for each in stored for profile in each.raw["meta"].get("profile", ())}
    assert claims >= {f"{MCC}/mccCarePlan", f"{MCC}/MCCGoal", f"{MCC}/MCCCareTeam", f"{MCC}/MCCClinicalImpression"}
    assert unexplained(issues([under_own_profile(each.raw) for each in stored])) == ""


def test_a_full_record_of_each_concept_is_valid_by_the_profiles_that_it_claims(issues: Any) -> None:
    # Those of answers show each kind of answer, not a whole interview.
    partial = ("response", "screening")
    paths = [path for path in sorted((FIXTURES / "pairs").glob("*/full*.fhir.json")) if path.parent.name not in partial]
    full = [parse(path.read_bytes()) for path in paths]
    follows = [each for raw in full for each in derived_of(raw)]
    assert any(f"{MCC}/MCCCaregiverConsiderationsObservation" in claimed(each)["meta"].get("profile", ()) for each in follows)
    assert unexplained(issues([under_own_profile(claimed(raw)) for raw in [*full, *follows]])) == ""


def test_a_referral_and_a_transfer_summary_are_valid(database: Any, issues: Any) -> None:
    """C-01, P-24: the Task with the profile that it claims, the document with the rules of documents."""
    repository = Repository(database)
    case = load_story(repository, story("river")).case
    fields = repository.read(*case.split("/")).record
    desk = Desk(repository, Actor(fields["case_manager"]), repository.clock, synthetic=True)
    put(desk, "stakeholder", "house", {"kind": "rehab_facility", "name": "Kanarifugl House", "active": True})
    [stay, *_] = [
        each for each in repository.scan("Encounter", {"concept": "encounter"}) if each.record["encounter_class"]["code"] == "IMP"
    ]
    about = {"client": fields["client"], "case": case}
    order = {"status": "not_started", "intent": "order", "kind": "rehabilitation", "code": {"text": "rehabilitation"}}
    service = put(desk, "planned_service", "more", about | order | {"description": "Kanarifugl's rehabilitation"})
    task = referrals.send(desk, referrals.refer(desk, service.id, "Organization/house").id)
    move = {"encounter": stay.reference, "status": "in_progress", "to_setting": "rehab", "receiver": "Organization/house"}
    plan = put(desk, "transition_plan", "move", about | move)
    package = transitions.send(desk, plan.id).fields["package"]
    made = [repository.read(*reference.split("/")).raw for reference in (task.reference, package, plan.reference)]
    assert "TaskForReferralManagement" in str(made[0]["meta"]["profile"])
    assert unexplained(issues([*made, transitions.package(desk, plan.id)])) == ""
