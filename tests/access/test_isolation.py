"""Isolation, proven: whatever the world, through every door the reader finds what may be seen, and nothing else.

The worlds are made by chance; what may be seen of them is told by `tests.access.rule`, which knows nothing of how it is done.
CASEBRIDGE_LAW_EXAMPLES sets how many; `python -m tests.access --worlds 10000` asks as many as one likes.
"""

import ast
import os
from collections import Counter
from pathlib import Path

import pytest

from . import rule, worlds
from .__main__ import TOGETHER
from .compare import differences

SEED = 1
WORLDS = int(os.environ.get("CASEBRIDGE_LAW_EXAMPLES", 300))


@pytest.mark.parametrize("first", range(0, WORLDS, TOGETHER))
def test_every_door_shows_what_may_be_seen_and_nothing_else(database, first):
    assert [*differences(database, SEED, range(first, min(WORLDS, first + TOGETHER)))] == []


@pytest.mark.parametrize("module", ["rule", "shadow", "worlds"])
def test_the_rule_knows_nothing_of_the_code_under_test(module):
    tree = ast.parse(Path(__file__).with_name(f"{module}.py").read_text())
    imported = [
        node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert {str(name).partition(".")[0] for name in imported} <= {"collections", "random", "rule", "typing", "worlds"}


def test_in_most_worlds_there_is_something_to_see_and_something_to_withhold():
    """What proves something is that both are there, for every kind of reader."""
    both = Counter(made["policy"].partition("-")[0] for made in (worlds.world(SEED, number) for number in range(300)) if _both(made))
    assert min(both[kind] for kind in ("manager", "payer", "receiving", "supporting", "treating")) >= 10
    assert both.total() >= 150


def test_in_many_worlds_there_is_a_case_to_work_on_and_something_to_withhold():
    """What the case API and the console show is asked of each, and compared with a world in which there is only what is seen."""
    worked = [made for made in (worlds.world(SEED, number) for number in range(300)) if made["worked"]]
    assert sum(any(name.startswith("EpisodeOfCare/") for name in rule.seen(made)) and _both(made) for made in worked) >= 20


def _both(made: worlds.World) -> bool:
    things = {f"{item['type']}/{item['id']}" for item in made["items"] if item["type"] in worlds.THINGS and not item["deleted"]}
    return bool(things & rule.seen(made).keys()) and bool(things - rule.seen(made).keys())
