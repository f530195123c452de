"""Chains and anchors by themselves: whatever is done to an account, it is found, and an account to which nothing was done holds."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.audit.anchor import LATE, Anchor, Anchors, check
from adapter.audit.chain import Follower, Head, Link, holds, linked

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def chain(name: str, length: int) -> list[tuple[str, Link, str]]:
    """Entries: the reference, the link and the text of each."""
    made, head = [], Head()
    for number in range(length):
        reference, text = f"AuditEvent/{name}{number}", f'{{"n":{number}}}'
        link = linked(name, head, reference, text)
        head = Head(link.number, link.hash)
        made.append((reference, link, text))
    return made


def followed(entries, known=None, pruned=None):
    follower = Follower(pruned or {}, known or {})
    return [finding.kind for entry in entries for finding in follower.see(*entry)] + [finding.kind for finding in follower.end()]


def known(*entries):
    return {link.chain: {link.number: link.hash} for _, link, _ in entries}


@given(st.lists(st.integers(0, 6), min_size=1, max_size=4), st.randoms())
def test_chains_hold_in_whatever_order_their_entries_come(lengths, chance):
    entries = [entry for name, length in enumerate(lengths) for entry in chain(str(name), length)]
    heads = known(*(chain(str(name), length)[-1] for name, length in enumerate(lengths) if length))
    chance.shuffle(entries)
    assert followed(entries, heads) == []


@given(st.integers(2, 7), st.data())
def test_an_entry_that_is_changed_is_found(length, data):
    entries = chain("a", length)
    place = data.draw(st.integers(0, length - 1))
    reference, link, _ = entries[place]
    entries[place] = reference, link, '{"n":"other"}'
    assert followed(entries) == ["changed"]


@given(st.integers(2, 7), st.data())
def test_an_entry_that_is_changed_with_its_hash_no_longer_leads_to_the_next(length, data):
    entries = chain("a", length)
    place = data.draw(st.integers(0, length - 2))
    reference, link, _ = entries[place]
    entries[place] = reference, linked("a", Head(link.number - 1, link.before), reference, "{}"), "{}"
    assert followed(entries) == ["changed"]


@given(st.integers(3, 7), st.data())
def test_an_entry_that_is_taken_out_is_missed(length, data):
    entries = chain("a", length)
    del entries[data.draw(st.integers(0, length - 2))]
    assert followed(entries) == ["deleted"]


def test_entries_that_change_places_are_found():
    entries = chain("a", 4)
    (one, first, text), (other, second, further) = entries[1], entries[2]
    entries[1:3] = [(one, second, text), (other, first, further)]
    assert followed(entries) == ["changed", "changed"]


def test_a_second_entry_for_a_place_is_found():
    entries = chain("a", 3)
    _, link, _ = entries[1]
    forged = "AuditEvent/forged", linked("a", Head(1, link.before), "AuditEvent/forged", "{}"), "{}"
    assert followed([*entries, forged]) == ["inserted"]


def test_a_tail_that_is_cut_off_is_found_as_far_as_an_anchor_knows_it():
    entries = chain("a", 5)
    assert followed(entries[:3], known(entries[3])) == ["cut"]
    assert followed(entries[:3], known(entries[2])) == []


def test_a_chain_that_is_not_there_at_all_is_found_by_an_anchor():
    assert followed(chain("a", 2), known(chain("b", 1)[0])) == ["cut"]


def test_a_chain_that_is_made_anew_from_its_first_entry_is_found_by_an_anchor():
    anew, head = [], Head()
    for reference, _, _ in chain("a", 3):
        link = linked("a", head, reference, "{}")
        head = Head(link.number, link.hash)
        anew.append((reference, link, "{}"))
    assert followed(anew) == []
    assert followed(anew, known(chain("a", 3)[1])) == ["changed"]


def test_behind_what_was_pruned_a_chain_goes_on_and_nothing_of_it_comes_back():
    entries = chain("a", 5)
    _, last, _ = entries[1]
    cut = {"a": Head(last.number, last.hash)}
    assert followed(entries[2:], pruned=cut) == []
    assert followed(entries[1:], pruned=cut) == ["inserted"]
    assert followed(entries[3:], pruned=cut) == ["deleted"]


def anchored(*heads: dict[str, Head], pruned: dict[str, Head] | None = None) -> list[Anchor]:
    made: list[Anchor] = []
    for number, each in enumerate(heads, 1):
        before = {"before": made[-1].hash} if made else {}
        made.append(Anchor(number, NOON + timedelta(hours=number), heads=each, pruned=pruned or {}, **before))
    return made


def kinds(documents, held=None):
    return [finding.kind for finding in check(documents, held)]


def test_anchors_that_nobody_touched_hold_and_are_known_by_their_hash():
    made = anchored({"a": Head(1, "x")}, {"a": Head(4, "y"), "b": Head(1, "z")})
    documents = [each.document() for each in made]
    assert [Anchor.of(each) for each in documents] == made
    assert kinds(documents, made[0].hash) == []
    assert kinds(documents, "0" * 64) == ["anchor"]


@pytest.mark.parametrize(
    "harm",
    [
        lambda documents: documents[0]["heads"].update(a=[2, "x"]),
        lambda documents: documents[1].update(before="0" * 64),
        lambda documents: documents[1].pop("heads"),
        lambda documents: documents[1].update(heads="none"),
        lambda documents: documents.pop(0),
        lambda documents: documents.pop(1),
        lambda documents: documents.reverse(),
        lambda documents: documents.insert(1, dict(documents[0])),
    ],
)
def test_an_anchor_that_is_changed_taken_out_or_put_in_is_found(harm):
    documents = [each.document() for each in anchored(*({"a": Head(number, "x")} for number in (1, 4, 9)))]
    harm(documents)
    assert "anchor" in kinds(documents)


def test_an_anchor_that_is_made_anew_is_found_by_one_that_was_kept_elsewhere():
    kept = anchored({"a": Head(1, "x")})[0].hash
    anew = anchored({"a": Head(1, "other")})
    assert kinds([each.document() for each in anew]) == []
    assert kinds([each.document() for each in anew], kept) == ["anchor"]


def test_anchors_know_what_is_to_be_here_and_what_was_pruned():
    made = Anchors(anchored({"a": Head(1, "x"), "b": Head(2, "y")}, {"a": Head(4, "z")}, pruned={"b": Head(2, "y")}))
    assert made.heads == {"a": Head(4, "z"), "b": Head(2, "y")}
    assert made.known == {"a": {1: "x", 4: "z"}}


def test_an_entry_of_a_time_before_an_anchor_that_does_not_know_it_was_put_in_later():
    made = Anchors(anchored({"a": Head(3, "x")}))
    _, link, _ = chain("b", 1)[0]
    [finding] = made.too_late("AuditEvent/forged", link, NOON)
    assert finding.kind == "inserted"
    assert [*made.too_late("AuditEvent/new", link, made.several[0].at - LATE / 2)] == []
    assert [*made.too_late("AuditEvent/known", replace(link, chain="a"), NOON)] == []


def test_a_link_is_that_of_one_text_in_one_place():
    reference, link, text = chain("a", 2)[1]
    assert holds(link, reference, text)
    for other in (replace(link, chain="b"), replace(link, number=3), replace(link, before="0" * 64)):
        assert not holds(other, reference, text)
    assert not holds(link, "AuditEvent/other", text)
    assert Link.of(link.document()) == link


@pytest.mark.parametrize(
    "harm",
    [
        {"number": "1"},
        {"number": None},
        {"at": "2026-03-02T13:00:00"},
        {"at": "0001-01-01T00:00:00Z"},
        {"at": 7},
        {"before": 1},
        {"heads": {"a": ["x", 1]}},
        {"heads": {"a": [1, "x", 2]}},
        {"heads": {"a": 1}},
        {"pruned": []},
        {"until": "9999-12-31T23:59:59-12:00"},
        {"until": "soon"},
    ],
)
def test_whatever_stands_in_an_anchor_is_found_and_breaks_nothing(harm):
    documents = [each.document() for each in anchored({"a": Head(1, "x")}, {"a": Head(4, "y")})]
    documents[0] |= harm
    assert Anchor.of(documents[0]) is None
    assert "anchor" in kinds(documents)
    assert [each.number for each in Anchors.of(documents).several] == [2]


KNOWN = {"a": Head(4, "z")}
HOUR = timedelta(hours=1)
PRUNINGS = {
    "what an anchor knew": ({"a": Head(3, "y")}, NOON + HOUR, []),
    "to the very entry": (KNOWN, NOON + HOUR, []),
    "of no time": (KNOWN, None, ["anchor"]),
    "of a time to come": (KNOWN, NOON + 9 * HOUR, ["anchor"]),
    "another entry": ({"a": Head(4, "other")}, NOON + HOUR, ["anchor"]),
    "what no anchor knows": ({"a": Head(5, "y")}, NOON + HOUR, ["anchor"]),
    "a chain that no anchor knows": ({"b": Head(1, "y")}, NOON + HOUR, ["anchor"]),
    "what an anchor that was made after that time did not know": (KNOWN, NOON + HOUR - LATE, ["anchor"]),
    "what was gone": ({"a": Head(1, "x")}, NOON + HOUR, ["anchor"]),
}


@pytest.mark.parametrize("pruning", PRUNINGS)
def test_what_an_anchor_says_was_pruned_has_to_agree_with_the_anchors_before(pruning):
    pruned, until, expected = PRUNINGS[pruning]
    one = Anchor(1, NOON + HOUR, heads={"a": Head(1, "x")})
    two = Anchor(2, NOON + 2 * HOUR, one.hash, KNOWN, {"a": Head(1, "x")}, NOON + HOUR)
    three = Anchor(3, NOON + 3 * HOUR, two.hash, {}, pruned, until)
    assert kinds([each.document() for each in (one, two, three)]) == expected
    if not expected:
        latest, first = Anchors([one, two, three]).prunings
        assert (first.entries, latest.entries, latest.kept) == (1, pruned["a"].number - 1, 2 * HOUR)


def test_anchors_are_not_dated_before_each_other_nor_after_now():
    one, two = Anchor(1, NOON + HOUR), Anchor(2, NOON)
    assert kinds([one.document(), replace(two, before=one.hash).document()]) == ["anchor"]
    assert [finding.kind for finding in check([one.document()], None, NOON)] == ["anchor"]
    assert [*check([one.document()], None, NOON + HOUR)] == []


def test_what_was_pruned_since_an_anchor_was_kept_is_told_where_it_was_not_old_enough():
    one = Anchor(1, NOON, heads=KNOWN)
    two = Anchor(2, NOON + timedelta(days=3), one.hash, {}, {"a": Head(3, "y")}, NOON + timedelta(days=1))
    made = Anchors([one, two])
    early = [
        [finding.kind for finding in made.early(held, days)]
        for held, days in ((one.hash, 3), (one.hash, None), (one.hash, 2), (two.hash, 3))
    ]
    assert early == [["pruned"], ["pruned"], [], []]
