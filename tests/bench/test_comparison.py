from tests.bench.comparison import Row, lines
from tests.bench.wrk import Rate


def rate(per_second, refused=0):
    return Rate(per_second, 12.0, refused, 0)


def test_the_ratio_is_taken_within_each_round():
    row = Row("read", "", "per second", 2, ours=[100, 300, 50], theirs=[50, 100, 50])
    assert row.ratio == 2
    assert row.reached


def test_less_is_better_where_seconds_or_megabytes_are_compared():
    row = Row("start", "", "s", 10, ours=[2], theirs=[18], less_is_better=True)
    assert row.ratio == 9
    assert row.reached is False


def test_a_refused_answer_takes_the_goal_away():
    row = Row("read", "", "per second", 1)
    row.take(rate(100), is_ours=True)
    row.take(rate(10, refused=1), is_ours=False)
    assert row.reached is False
    assert "INVALID" in lines([row])[1]
    assert lines([row])[-1].startswith("INVALID, read: HAPI: 1 requests were refused")


def test_nothing_is_said_of_a_goal_where_one_server_was_measured():
    row = Row("read", "", "per second", 1)
    row.take(rate(100), is_ours=True)
    assert row.reached is None
    assert "reached" not in lines([row])[1]
