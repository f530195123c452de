"""The documents that are made from code, and where the links of all of them lead."""

import re
from pathlib import Path

import pytest

from adapter.cli.docs import filled
from adapter.sync.remotes.document import tables
from adapter.sync.remotes.preset import names
from adapter.sync.remotes.probes import PROBES
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.strategy import RULES

DOCS = Path(__file__).parents[2] / "docs"
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


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: str(page.relative_to(DOCS)))
def test_every_link_of_a_page_to_a_file_leads_to_one(page):
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
