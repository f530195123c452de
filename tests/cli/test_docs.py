"""The documents that are made from code."""

import pytest

from adapter.cli.docs import filled
from adapter.sync.remotes.document import tables
from adapter.sync.remotes.preset import names
from adapter.sync.remotes.probes import PROBES
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.strategy import RULES

PAGE = "# Page\n\n<!-- birds -->\n| old |\n<!-- end -->\n\nBy hand.\n\n<!-- fish -->\n<!-- end -->\n"


def test_a_table_is_put_in_its_place_and_the_rest_stays():
    once = filled(PAGE, {"birds": "| wren |", "fish": r"| a \1 |"})
    assert once == PAGE.replace("| old |", "| wren |").replace("<!-- fish -->\n", "<!-- fish -->\n| a \\1 |\n")
    assert filled(once, {"birds": "| wren |", "fish": r"| a \1 |"}) == once


@pytest.mark.parametrize(
    ("table", "rows"),
    [("settings", Remote.__dataclass_fields__), ("presets", names()), ("probes", PROBES), ("strategy", RULES)],
)
def test_each_table_of_remotes_tells_of_everything_once(table, rows):
    lines = tables()[table].splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == list(rows)
    assert all(line.rstrip(" |")[-1] not in "`|" for line in lines)
    assert len({line.count(" |") - line.count("\\|") for line in lines}) == 1
