"""Which side changed an element last: what is known of it, and what is not guessed."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.mapping.merge import Base, merge
from adapter.sync.conflicts.witness import TIE, Past, Signed, Version, later
from tests.sync.conflicts.test_conflicts import OURS, THEIRS, clock, dates, only, settings
from tests.sync.faulty import Proxy, says

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
BASE = {"resourceType": "Patient", "gender": "unknown", "birthDate": "1950"}
[CHANGE] = merge(Base(BASE, BASE), {**BASE, "gender": "female"}, {**BASE, "gender": "other"}).conflicts


def past(gender: str, *versions: tuple[int | None, dict], whole: bool = True) -> Past:
    """Versions, newest first: minutes after noon, and what they say beside the gender that all have who say nothing else."""
    at = [None if minutes is None else NOON + timedelta(minutes=minutes) for minutes, _ in versions]
    raws = [{**BASE, "gender": gender, **raw} for _, raw in versions]
    return Past(tuple(Version(str(n), raw, when) for n, (raw, when) in enumerate(zip(raws, at, strict=True))), whole)


@pytest.mark.parametrize(
    ("ours", "theirs", "winner"),
    [
        (past("female", (1, {})), past("other", (2, {})), "theirs"),
        (past("female", (3, {})), past("other", (2, {})), "ours"),
        (past("female", (2, {})), past("other", (2, {})), None),
        # A later version that leaves the element alone makes it no newer.
        (past("female", (2, {})), past("other", (9, {"birthDate": "1951"}), (1, {})), "ours"),
        # What went back and forth counts from the last time it became what it is.
        (past("female", (2, {})), past("other", (3, {}), (1, {"gender": "unknown"}), (0, {})), "theirs"),
        (past("female", (2, {})), past("other", (None, {})), None),
        # Where versions are missing, it may have been changed earlier, never later.
        (past("female", (2, {})), past("other", (9, {}), whole=False), None),
        (past("female", (9, {})), past("other", (2, {}), whole=False), "ours"),
        (past("female", (2, {})), past("other", (9, {}), (1, {"gender": "unknown"}), whole=False), "theirs"),
    ],
)
def test_the_side_that_changed_it_last_wins_where_that_is_sure(ours, theirs, winner):
    assert later(ours, theirs, timedelta(0), CHANGE) == winner


def test_the_remotes_clock_is_taken_into_account_and_a_tie_is_nobodys():
    ours, theirs = past("female", (1, {})), past("other", (2, {}))
    minute = timedelta(minutes=1)
    assert later(ours, theirs, minute * 2, CHANGE) == "ours"
    assert later(ours, theirs, minute, CHANGE) is None
    assert later(ours, theirs, minute - TIE, CHANGE) is None
    assert later(ours, theirs, minute - TIE - timedelta(milliseconds=1), CHANGE) == "theirs"
    assert later(ours, theirs, None, CHANGE) is None


@pytest.mark.parametrize(("ahead", "end"), [(timedelta(hours=1), (OURS, OURS)), (timedelta(0), (OURS, THEIRS))], ids=["ours", "unsure"])
def test_of_a_remote_that_shows_no_history_only_what_is_sure_is_decided(world, ahead, end):
    settings(world, owners={"Patient.birthDate": "newest"})
    patient = world.patient_there(birthDate="1950-01-01")
    with Proxy(world.remote.url) as proxy:
        world.bridge.remotes.remove("hospital")
        world.bridge.remotes.add(type(world.remote)("hospital", proxy.url, types=("Patient",), owners={"Patient.birthDate": "newest"}))
        world.sync()
        with clock(world, ahead):
            world.edit_here(patient, birthDate=OURS)
        world.edit_there(patient, birthDate=THEIRS)
        proxy.fault(says(404, b'{"resourceType":"OperationOutcome","issue":[]}'), path=f"Patient/{patient['id']}/_history")
        world.sync()
        assert dates(world, patient) == end
        if ahead == timedelta(0):
            told = only(world)[1]["told"]
            assert told["theirs"]["at"] == world.there(patient)["meta"]["lastUpdated"]
            assert "by" not in told["theirs"]
            assert "theirs" not in told["elements"][0], "since when is not known"


def signed(*provenances: tuple[str, int, str]) -> Signed:
    """Provenances: the target, minutes after noon, who."""
    return Signed.of(
        [
            {
                "target": [{"reference": target}],
                "recorded": (NOON + timedelta(minutes=at)).isoformat(),
                "agent": [{"who": {"display": who}}],
            }
            for target, at, who in provenances
        ],
        "Patient/1",
    )


def test_who_wrote_a_version_is_whom_its_provenance_names_and_nobody_where_none_does():
    found = signed(("Patient/1/_history/2", 5, "desk"), ("Patient/2/_history/3", 5, "other"), ("Patient/1", 1, "ward"))
    assert found.by("2", NOON, newest=False) == "desk"
    assert found.by("3", NOON, newest=False) is None
    # One that names no version is about the newest, unless it is older than that.
    assert found.by("3", NOON, newest=True) == "ward"
    assert found.by("3", NOON + timedelta(minutes=2), newest=True) is None
    assert signed(("Patient/1", 3, "later"), ("Patient/1", 1, "earlier")).by("9", NOON, newest=True) == "later"
