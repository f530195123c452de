"""What is published is in the store like any resource, once, and is nobody's business but ours."""

from typing import Any

from adapter.clock import utc_now
from adapter.config import EXT
from adapter.ig.package import published
from adapter.store import query, search
from adapter.store.documents import Change
from adapter.store.published import publish
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.remotes.remote import Remote, Remotes


def test_what_is_published_is_read_and_searched_and_not_owed_to_a_remote(database: Any) -> None:
    repository = Repository(database)
    Remotes(State(database), utc_now).add(Remote("hospital", "http://127.0.0.1:1/fhir"))
    theirs = {"resourceType": "CodeSystem", "url": "urn:example:theirs", "status": "draft", "content": "not-present"}
    repository.commit([Change("CodeSystem", "barrier-kind", theirs, 0)])

    count = publish(repository)

    stored = repository.read("StructureDefinition", "cm-model")
    assert stored.raw["url"] == f"{EXT}/cm-model"
    assert count == sum(raw["resourceType"] != "Questionnaire" for raw in published().values()) - 1
    found = search.run(repository.database, query.parse("StructureDefinition", [("url", f"{EXT}/cm-model")]))
    assert [row.id for row in found.rows] == ["cm-model"]
    assert [each.reference for each in repository.owed("hospital")] == ["CodeSystem/barrier-kind"]
    assert repository.read("CodeSystem", "barrier-kind").raw["url"] == "urn:example:theirs"
    assert publish(repository) == 0
