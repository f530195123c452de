"""The order of a push: who is referred to first, circles together or cut where they can be, nobody twice."""

from adapter.fhir.resource import check_structure
from adapter.sync.plan import Entry, targets
from adapter.sync.pushing.order import batches, groups, in_phases, levels, ordered


def entry(type: str, id: str, *refers: str, action: str = "create", **elements: object) -> Entry:
    raw = {"resourceType": type, "id": id, "basedOn": [{"reference": to} for to in refers], **elements}
    if action == "delete":
        return Entry("push", "delete", type, id, f"{type}/{id}", theirs=raw)
    return Entry("push", action, type, id, target=raw)


def names(entries: list[Entry]) -> list[str]:
    return [each.id for each in entries]


def order(id: str, *refers: str) -> Entry:
    required = {"status": "active", "intent": "order", "subject": {"reference": "Patient/p"}}
    return entry("ServiceRequest", id, *(f"ServiceRequest/{to}" for to in refers), **required)


def test_deletions_come_last_and_who_refers_is_deleted_first() -> None:
    found = ordered(
        [
            entry("Patient", "p", action="delete"),
            entry("Goal", "g", "Patient/p", action="delete"),
            entry("Goal", "h", "Patient/q"),
            entry("Patient", "q"),
        ]
    )
    assert names(found) == ["q", "h", "g", "p"]


def test_an_update_keeps_nobody_waiting_and_makes_no_circle() -> None:
    """What is updated is there already."""
    new, old = entry("Goal", "new", "CarePlan/old"), entry("CarePlan", "old", "Goal/new", action="update")
    assert [names(group) for group in groups([old, new])] == [["new"], ["old"]]


def test_runs_are_as_large_as_they_may_be_and_cut_no_circle() -> None:
    entries = [order("a"), order("b", "c"), order("c", "b"), order("d")]
    sizes = [len(run) for run in batches(entries, 2)]
    assert (sum(sizes), max(sizes)) == (4, 2)
    assert {"b", "c"} in [set(names(run)) for run in batches(entries, 2)]


def test_those_to_go_alone_share_their_run_with_their_circle_only() -> None:
    entries = [order("a"), order("b"), order("c", "d"), order("d", "c"), order("e")]
    runs = [set(names(run)) for run in batches(entries, 50, alone={"ServiceRequest/b", "ServiceRequest/d"})]
    assert runs == [{"a"}, {"b"}, {"c", "d"}, {"e"}]


def test_in_a_level_nobody_refers_to_another() -> None:
    entries = [order("a"), order("b", "a"), order("c", "a"), order("d", "c", "b"), order("e")]
    assert [set(names(level)) for level in levels(entries)] == [{"a", "e"}, {"b", "c"}, {"d"}]


def test_a_circle_is_made_one_by_one_each_without_what_comes_later() -> None:
    circle = [order("a", "b"), order("b", "c"), order("c", "a")]
    made: set[str] = set()
    for each in in_phases(circle):
        assert set(targets(each.target or {})) - {"Patient/p"} <= made
        made.add(each.reference)
    assert len(made) == 3
    whole = sum(each.target == before.target for each in in_phases(circle) for before in circle if before.id == each.id)
    assert whole == 2, "only one of them has to wait for its reference"


def test_the_circle_is_cut_where_r4_lets_it_be() -> None:
    """A Provenance needs its target, so the order comes first, without its history."""
    order_ = order("a")
    relevant = {**(order_.target or {}), "relevantHistory": [{"reference": "Provenance/p"}]}
    agent = [{"who": {"display": "someone"}}]
    body = {"target": [{"reference": "ServiceRequest/a"}], "recorded": "2025-04-22T09:00:00Z", "agent": agent}
    provenance = Entry("push", "create", "Provenance", "p", target={"resourceType": "Provenance", "id": "p", **body})
    found = in_phases([provenance, Entry("push", "create", "ServiceRequest", "a", target=relevant)])
    assert names(found) == ["a", "p"]
    assert "relevantHistory" not in (found[0].target or {})
    for each in found:
        check_structure(each.target or {})


def test_a_circle_that_nothing_can_be_left_out_of_stays_as_it_is() -> None:
    agent = [{"who": {"display": "someone"}}]
    both = [
        entry("Provenance", id, target=[{"reference": f"Provenance/{other}"}], recorded="2025-04-22T09:00:00Z", agent=agent)
        for id, other in (("a", "b"), ("b", "a"))
    ]
    assert in_phases(both) == both
