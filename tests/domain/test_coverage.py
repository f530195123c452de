"""The domain's catalogue and its tests: every row has one, or a reason."""

import ast
from pathlib import Path

import pytest

from adapter.cli.domain_coverage import catalogue, document, not_yet, proofs

TESTS = Path(__file__).parents[1]
HERE = sorted(Path(__file__).parent.glob("test_*.py"))
PROVEN = {id for proof in proofs(TESTS) for id in proof.ids}


@pytest.mark.parametrize("id", catalogue(TESTS))
def test_a_row_of_the_catalogue_has_a_test_or_a_reason_and_not_both(id):
    assert (id in PROVEN) != (id in not_yet(TESTS))


def test_no_reason_is_of_a_row_that_there_is_not():
    assert not_yet(TESTS).keys() <= catalogue(TESTS).keys()


def test_the_page_has_each_row_once():
    rows = [line.split(" | ")[0].removeprefix("| ") for line in document(TESTS).splitlines() if line.startswith("| ")]
    assert sorted(row for row in rows if row != "id") == sorted(catalogue(TESTS))


@pytest.mark.parametrize("path", HERE, ids=lambda path: path.stem)
def test_what_proves_a_row_does_not_look_inside(path):
    if path == Path(__file__):
        return
    named = {node.module for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.ImportFrom) and node.level == 0}
    assert not {module for module in named if module and module.split(".")[0] in ("adapter", "server")}
