"""A plan and what it refers to, as other systems of care planning want it: http://hl7.org/fhir/us/mcc"""

from typing import Any

from adapter.casework.stories import load_story
from tests.sync.test_stories import story, values

WANTED = {
    "careTeam": {"MCCCareTeam", "us-core-careteam"},
    "goal": {"MCCGoal"},
    "addresses": {"MCCChronCondHealthConcern", "us-core-condition-encounter-diagnosis"},
    "subject": {"us-core-patient"},
}


def names(raw: dict[str, Any]) -> set[str]:
    return {profile.rpartition("/")[2] for profile in raw["meta"].get("profile", ())}


def test_the_plans_of_a_story_and_what_they_refer_to_claim_the_shapes_of_mcc(repository):
    load_story(repository, story("alma"))
    plans = [stored.raw for stored in repository.scan("CarePlan")]
    assert len(plans) == 2
    for plan in plans:
        assert "mccCarePlan" in names(plan)
        for element, shapes in WANTED.items():
            found = [names(repository.read(*each.split("/")).raw) for each in values(plan, f"{element}.reference")]
            assert found, element
            assert [each for each in found if not each & shapes] == []
