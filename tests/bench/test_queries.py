import random

import pytest

from adapter.fhir.resource import parse
from tests.bench.queries import MOST, NAMES, queries
from tests.mapping.data import synthea


@pytest.fixture(scope="module")
def resources():
    return [parse(text) for text in synthea()]


def test_there_is_something_to_ask_for_every_query(resources):
    made = queries(resources)
    assert tuple(query.name for query in made) == NAMES
    assert all(len(set(query.asks)) == len(query.asks) <= MOST for query in made)
    assert [query.writes for query in made] == [False] * 9 + [True]


def test_the_same_is_asked_whatever_order_the_data_come_in(resources):
    others = random.Random(1).sample(resources, len(resources))
    reads = [query for query in queries(resources) if not query.writes]
    assert reads == [query for query in queries(others) if not query.writes]


def test_data_without_what_a_query_asks_for_are_refused(resources):
    with pytest.raises(ValueError, match="nothing for plans"):
        queries([raw for raw in resources if raw["resourceType"] != "CarePlan"])
