"""`measure`; what is counted is tested in tests/casework/test_measures.py."""

import csv
import io

import pytest

from adapter.store.repository import Repository
from tests.casework.shelf import Shelf

PERIOD = ("--from", "2026-01-01", "--to", "2026-01-31")


@pytest.fixture
def stays(database):
    """Two discharges in January, one of them followed by a readmission."""
    shelf = Shelf(Repository(database))
    for name, tier in (("a", "low"), ("b", "high")):
        shelf.case(name, opened="2026-01-01T00:00:00Z", tier=tier)
        shelf.stay(name, "2026-01-05", "2026-01-31", id="first")
    shelf.stay("b", "2026-02-10", id="second")


def test_without_a_name_the_measures_are_listed(casebridge):
    """C-14"""
    ran = casebridge("measure")
    assert ran.code == 0
    assert {"length-of-stay", "readmission-30-days", "goal-attainment"} <= set(ran.out.split())


def test_a_measure_is_told_as_a_table_as_csv_and_as_json(casebridge, stays):
    """O-02, C-14"""
    ran = casebridge("measure", "readmission-30-days", *PERIOD, "--by", "tier")
    assert ran.code == 0
    assert "0.5" in ran.out
    rows = list(csv.DictReader(io.StringIO(casebridge("measure", "readmission-30-days", *PERIOD, "--by", "tier", "--csv").out)))
    assert [(row["stratum"], row["numerator"], row["denominator"]) for row in rows] == [
        ("", "1", "2"),
        ("high", "1", "1"),
        ("low", "0", "1"),
    ]
    [group] = casebridge("measure", "readmission-30-days", *PERIOD, "--members", "--json").json["groups"]
    assert (group["rate"], group["members"]) == (0.5, [{"of": "Encounter/first-b", "day": "2026-01-31"}])


def test_of_an_empty_period_it_says_what_may_be_missing(casebridge):
    ran = casebridge("measure", "cost", *PERIOD)
    assert (ran.code, "reindex" in ran.err) == (0, True)


def test_a_measure_that_there_is_not_is_exit_code_2(casebridge):
    assert casebridge("measure", "happiness").code == 2
