"""A line of the log is one event that a machine can split again."""

import logging
import re

import pytest

from adapter import log


@pytest.fixture
def told(capsys):
    def tell(threshold: str, name: str, **facts: object) -> str:
        log.set_level(threshold)
        log.event(name, **facts)
        return capsys.readouterr().err

    return tell


def test_a_line_has_the_time_in_utc_the_level_the_event_and_its_facts(told):
    line = told("INFO", "thing.done", type="Patient", count=3)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO thing\.done type=Patient count=3\n", line)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a b", '"a b"'),
        ("", '""'),
        ("a\nERROR forged", '"a\\nERROR forged"'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        ("a-b/c:1.5", "a-b/c:1.5"),
    ],
)
def test_a_value_cannot_pretend_to_be_another_fact_or_line(told, value, shown):
    assert told("INFO", "thing.done", value=value).endswith(f" thing.done value={shown}\n")


def test_what_is_below_the_level_is_not_told(told):
    assert told("WARNING", "thing.done", level=logging.INFO) == ""
