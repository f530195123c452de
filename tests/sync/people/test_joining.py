"""What becomes of the content of two that are one, and of what was found too soon: laws, whatever the content."""

from hypothesis import given
from hypothesis import strategies as st

from adapter.clock import utc_now
from adapter.fhir.resource import dumps, same
from adapter.mapping.merge import Base
from adapter.store.documents import Stored
from adapter.sync.people.joining import carried, decided, filled, gave_way, links_of, merged_there, undone

words = st.sampled_from(["a", "b", "c"])
telecoms = st.lists(words, unique=True, max_size=3).map(lambda values: [{"system": "phone", "value": value} for value in values])
patients = st.fixed_dictionaries(
    {"resourceType": st.just("Patient")},
    optional={
        "gender": st.sampled_from(["female", "male"]),
        "birthDate": st.sampled_from(["1950", "1951"]),
        "maritalStatus": words.map(lambda text: {"text": text}),
        "telecom": telecoms.filter(bool),
    },
)
edits = st.dictionaries(st.sampled_from(["deceasedBoolean", "multipleBirthBoolean"]), st.booleans())


@given(patients, patients, edits)
def test_what_one_version_changed_goes_back_and_edits_of_other_elements_stay(before, made, edit):
    assert same(undone({**made, **edit}, made, before), {**before, **edit})


@given(patients, patients, edits)
def test_what_one_version_changed_can_be_carried_over_and_taken_back(before, made, edit):
    other = {**before, **edit}
    there = carried(other, before, made)
    assert same(there, {**made, **edit})
    assert same(undone(there, made, before), other)


@given(patients, patients)
def test_who_stays_keeps_every_word_and_gains_what_only_the_other_says(one, other):
    united = filled(one, other)
    assert {*united} == one.keys() | other.keys()
    assert all(same(united[name], one[name]) for name in one.keys() - {"telecom"})
    assert all(item in united["telecom"] for side in (one, other) for item in side.get("telecom", ()))


def test_a_winner_is_asked_only_where_both_changed_an_element():
    base = {"resourceType": "Patient", "gender": "female", "birthDate": "1950"}
    ours, theirs = {**base, "gender": "male"}, {**base, "gender": "other", "birthDate": "1951"}
    assert decided(Base(base, base), ours, theirs, "ours") == {**ours, "birthDate": "1951"}
    assert decided(Base(base, base), ours, theirs, "theirs") == theirs


def patient(id: str, **elements) -> Stored:
    return Stored("Patient", id, 1, utc_now(), False, dumps({"resourceType": "Patient", **elements}))


def test_who_gave_way_says_to_whom_once():
    stays, gone = patient("a"), patient("b")
    once = gave_way(gone.raw, stays)
    assert (once["active"], links_of(once, "replaced-by")) == (False, ["Patient/a"])
    assert gave_way(once, stays) == once
    assert merged_there(stays, patient("b", **once))
    assert merged_there(patient("a", link=[{"type": "replaces", "other": {"reference": "Patient/b"}}]), gone)
    assert not merged_there(stays, gone)
    assert "link" not in gave_way({"resourceType": "Organization", "active": True}, stays)
