"""Push in full, with a real HAPI as the hospital: what `tests/sync` proves that does not hang on our own server's answers."""

from typing import Any

import pytest

from tests.sync.conftest import quick_retries  # noqa: F401 - what `scene` asks for
from tests.sync.pushing.conftest import scene  # noqa: F401
from tests.sync.pushing.scene import WAYS, Scene, lacking
from tests.sync.pushing.test_circles import (  # noqa: F401 - the tests themselves
    test_a_circle_goes_in_one_transaction,
    test_a_circle_is_deleted_in_one_transaction,
    test_a_circle_larger_than_a_bundle_goes_in_two_phases,
    test_a_push_that_dies_between_the_phases_finishes_the_circle_later,
    test_without_transactions_a_circle_goes_in_two_phases,
)
from tests.sync.pushing.test_deleted_here import (  # noqa: F401
    test_what_is_deleted_here_is_entered_in_error_there_where_that_is_set,
    test_what_they_edit_after_we_entered_it_in_error_is_a_conflict,
    test_who_refers_is_deleted_before_who_is_referred_to,
)
from tests.sync.pushing.test_push import (  # noqa: F401
    test_a_patch_names_only_what_changes_and_tests_what_was,
    test_an_update_whose_answer_was_lost_is_known_again_and_not_made_twice,
    test_so_many_requests_are_under_way_at_once_and_order_is_kept,
    test_what_the_remote_changed_meanwhile_is_merged_and_kept,
)
from tests.sync.pushing.test_refused import (  # noqa: F401
    test_a_bundle_that_is_too_large_is_halved_and_the_size_is_remembered,
    test_one_resource_over_which_the_remote_stumbles_does_not_keep_the_others,
)


@pytest.fixture
def hospital_url(hapi_empty: Any) -> str:
    return str(hapi_empty.url)


@pytest.mark.parametrize("way", WAYS)
def test_what_hapi_refuses_is_set_aside_with_its_outcome_and_the_others_are_taken(scene: Scene, way: str) -> None:  # noqa: F811
    """A reference that leads nowhere: HAPI refuses it, we cannot know, for it was never ours."""
    scene.knows()
    scene.proxy.faults = [lacking(*WAYS[way])]
    people = scene.people(5)
    scene.make("Goal", "bad", lifecycleStatus="active", description={"text": "note (Kanarifugl)"}, subject={"reference": "Patient/nobody"})
    for person in people:
        subject = {"reference": f"Patient/{person}"}
        scene.make("Goal", f"of-{person}", lifecycleStatus="active", description={"text": "note (Kanarifugl)"}, subject=subject)
    assert scene.pushed() == {"create": 10, "dead": 1}
    (letter,) = scene.letters().values()
    assert letter.reference == "Goal/bad"
    assert letter.issues
    assert scene.owed() == {"Goal/bad"}
    scene.edit("Goal", "bad", subject={"reference": f"Patient/{people[0]}"})
    assert scene.pushed() == {"create": 1}
    assert (scene.letters(), scene.owed(), scene.pushed()) == ({}, set(), {})
