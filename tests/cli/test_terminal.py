"""Progress where there is no terminal: a line now and then, with the rate since the one before."""

import pytest

from adapter.cli import terminal


@pytest.fixture
def told(monkeypatch, capsys):
    """Reports made at these moments, by (seconds, what, done, total), as lines."""

    def tell(*reports: tuple[float, str, int, int]) -> list[str]:
        moments = iter([0.0, *(moment for moment, *_ in reports)])
        monkeypatch.setattr(terminal.time, "monotonic", lambda: next(moments))
        with terminal.progress() as report:
            for _, what, done, total in reports:
                report(what, done, total)
        return capsys.readouterr().err.splitlines()

    return tell


def test_a_line_says_how_much_of_how_much_and_how_fast(told):
    assert told((1, "import a", 100, 1000), (2, "import a", 200, 1000), (5, "import a", 500, 1000), (10, "import a", 600, 1000)) == [
        "import a: 500 of 1000, 100/s",
        "import a: 600 of 1000, 20/s",
    ]


def test_what_was_done_before_the_first_report_is_no_part_of_the_rate(told):
    assert told((1, "import a", 90_000, 0), (4, "import a", 90_030, 0)) == ["import a: 90030, 10/s"]


def test_where_nothing_is_counted_it_says_that_it_goes_on(told):
    assert told((4, "look", 0, 0)) == ["look …"]
