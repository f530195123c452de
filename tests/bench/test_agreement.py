import pytest

from adapter.store.documents import Change
from adapter.store.repository import Repository
from server import create_app, running
from tests.bench.agreement import differences, refused
from tests.bench.queries import Query
from tests.bench.wrk import Ask

PATIENTS = [{"resourceType": "Patient", "id": f"p{number}", "name": [{"family": "Kanarifugl"}]} for number in range(4)]
SEARCH = Query("family", "", 1, (Ask("Patient?family=Kanarifugl&_count=20"),))
PAGE = Query("page", "", 1, (Ask("Patient?_count=2"),))
READ = Query("read", "", 1, (Ask("Patient/p3"),))
CREATE = Query("create", "", 1, (Ask("Patient", "POST", '{"resourceType": "Patient"}'),))


@pytest.fixture
def serve(new_database):
    """Serves these resources, as a context."""

    def serving(resources):
        repository = Repository(new_database())
        repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in resources])
        return running(create_app(repository))

    return serving


@pytest.mark.parametrize("query", [SEARCH, PAGE, READ, CREATE], ids=lambda query: query.name)
def test_servers_with_the_same_data_agree(serve, query):
    with serve(PATIENTS) as one, serve(PATIENTS[::-1]) as other:
        assert differences(f"{one}/fhir", f"{other}/fhir", query) == []


def test_each_way_in_which_answers_differ_is_told(serve):
    changed = [*PATIENTS[:3], {**PATIENTS[3], "active": True}]
    with serve(PATIENTS) as one, serve(PATIENTS[:3]) as fewer, serve(changed) as other:
        one, fewer, other = f"{one}/fhir", f"{fewer}/fhir", f"{other}/fhir"
        assert "family: resources not on both: 1 and 0" in differences(one, fewer, SEARCH)
        assert differences(one, fewer, PAGE) == ["page: matches in all: 4 and 3"]
        assert differences(one, fewer, READ) == ["read: answered 200 and 404"]
        assert len(differences(one, other, READ)) == 1
        assert refused(fewer, READ) == ["read: answered 404"]
        assert refused(one, SEARCH) == []
