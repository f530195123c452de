"""docs/search.md says what is so."""

from adapter.store.disagreements import DISAGREEMENTS
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
