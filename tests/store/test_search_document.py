"""docs/search.md says what is so."""

import pytest

from adapter.store.agreement import measured
from adapter.store.disagreements import DISAGREEMENTS, Effect, explained
from adapter.store.query import UNSERVED
from adapter.store.search_document import OMITTED, document
from adapter.store.search_parameters import parameters


def test_what_is_listed_as_not_served_is_not_in_the_table():
    assert [name for type, name in OMITTED if name in parameters(type)] == []
    assert [name for name in UNSERVED if name in parameters("Patient")] == []


def test_every_parameter_and_every_disagreement_is_on_the_page():
    page = document()
    for type in ("Patient", "Observation", "CarePlan"):
        section = page.partition(f"\n## {type}\n")[2].partition("\n## ")[0]
        assert all(f"| {name} |" in section or name[0] == "_" for name in parameters(type))
    assert all(item.here in page and item.link in page for item in DISAGREEMENTS)


def test_every_category_is_on_the_page_and_whatever_differs_is_explained():
    page = document()
    for row in measured().categories:
        assert f"| {row.category} | {row.asked} | {row.scored} |" in page
        assert row.scored - row.agree <= row.explained + row.scored / 100


@pytest.mark.parametrize(
    ("question", "effects", "reasons"),
    [
        (["Patient", "birthdate=ge1979-10"], {Effect.MORE}, 1),
        (["Patient", "birthdate=ge1979-10-01"], {Effect.MORE}, 0),
        (["CarePlan", "date=le2024-09-17"], {Effect.FEWER}, 1),
        (["CarePlan", "date=lt2024-09-17"], {Effect.FEWER}, 0),
        (["CarePlan", "date=ge2024"], {Effect.MORE, Effect.FEWER}, 2),
        (["CarePlan", "date=le2024"], {Effect.MORE, Effect.FEWER}, 0),
        (["Patient", "birthdate:exact=2020"], {Effect.REFUSED}, 1),
        (["Patient", "gender:not=male"], {Effect.REFUSED}, 0),
        (["Patient", "gender=male"], {Effect.REFUSED}, 0),
    ],
)
def test_a_difference_is_explained_only_by_what_is_about_the_question(question, effects, reasons):
    assert len(explained(question, effects)) == reasons
