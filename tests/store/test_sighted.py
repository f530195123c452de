"""What is compared here and what the store compares are the same: whatever the number of those whose resources may be seen."""

import pytest

from adapter.access.viewer import Viewer
from adapter.errors import Forbidden
from adapter.store import query, search, sight
from adapter.store.seen import seen_by
from adapter.store.sight import sight_of

INSURER = "Organization/ins"
PEOPLE = 12
SCOPE = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "patient-privacy"}]}
ASKED = {
    "in order of change": [("_count", "5")],
    "by status": [("status", "active"), ("_count", "3")],
    "sorted": [("_sort", "-status"), ("_count", "4")],
    "by a key that leads": [("instantiates-canonical", "http://x.example/plan"), ("_count", "5")],
    "one patient": [("patient", "p2,p3")],
}


@pytest.fixture
def seen(repository, save):
    """The repository as an insurer sees it that pays for every second patient: each has a plan that is active and one that is not."""
    for number in range(PEOPLE):
        person = {"reference": f"Patient/p{number}"}
        save("Patient", **{f"p{number}": {"name": [{"family": "Kanarifugl"}]}})
        save("Coverage", **{f"c{number}": {"status": "active", "beneficiary": person, "payor": [{"reference": payor(number)}]}})
        save("Consent", **{f"k{number}": {"status": "active", "scope": SCOPE, "patient": person, "provision": {"type": "permit"}}})
        plan = {"intent": "plan", "subject": person, "instantiatesCanonical": ["http://x.example/plan"]}
        save("CarePlan", **{f"{lead}{number}": {**plan, "status": status} for lead, status in (("a", "active"), ("b", "completed"))})
    viewer = Viewer("insurer-reader", frozenset((INSURER,)), "HPAYMT")
    return lambda: seen_by(repository, sight_of(repository.database, viewer, repository.clock()))


def payor(number):
    return f"Organization/{'other' if number % 2 else 'ins'}"


def pages(repository, params):
    """The ids that a search finds, on all its pages, and how many it counts."""
    found, cursor = [], None
    while True:
        asked = query.parse("CarePlan", [*params, *([("_cursor", cursor)] if cursor else [])])
        page = search.run(repository.database, asked, repository.faces)
        found += [row.id for row in page.rows]
        if (cursor := page.cursor) is None:
            return found, search.total(repository.database, query.parse("CarePlan", params))


@pytest.mark.parametrize("few", [0, 100], ids=["led by nothing", "led by the members"])
def test_a_search_finds_and_counts_the_same_whoever_compares(seen, monkeypatch, few):
    monkeypatch.setattr(sight, "_FEW", few)
    told = {}
    for most in (0, 1000):
        monkeypatch.setattr(sight, "_COMPARED", most)
        told[most] = {name: pages(seen(), params) for name, params in ASKED.items()}
        by_status = seen().database["CarePlan"].aggregate([{"$match": {}}, {"$group": {"_id": "$fhir.index.status", "n": {"$sum": 1}}}])
        told[most]["grouped"] = sorted((each["_id"][0], each["n"]) for each in by_status)
    assert told[0] == told[1000]
    mine = {f"{lead}{number}" for number in range(0, PEOPLE, 2) for lead in "ab"}
    assert {name: (sorted(ids), total) for name, (ids, total) in told[0].items() if name in ("in order of change", "sorted")} == {
        name: (sorted(mine), len(mine)) for name in ("in order of change", "sorted")
    }
    assert told[0]["one patient"] == (["a2", "b2"], 2)


def test_what_is_no_type_is_refused_before_a_collection_is_made_of_it(seen, database):
    with pytest.raises(Forbidden):
        seen().find("Anxiety", "Depression")
    assert "Anxiety" not in database.list_collection_names()
