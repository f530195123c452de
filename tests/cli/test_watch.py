"""`watch`, and what `import` and `pull` do of themselves. What it makes is tested in tests/casework/test_watch.py."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from adapter.cli.watch import LEASE, watching
from adapter.config import SYNTHETIC_TAG
from adapter.store.repository import Repository
from adapter.store.state import State
from adapter.sync.lease import hold
from tests.casework.conftest import person
from tests.casework.shelf import Shelf
from tests.cli.conftest import ndjson

PATIENCE = 60


@pytest.fixture
def repository(database):
    return Repository(database)


@pytest.fixture
def shelf(repository):
    """A case that was spoken to just now."""
    shelf = Shelf(repository)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    shelf.case("alma", tier="low", opened=now)
    shelf.contact("alma", now)
    return shelf


def stay(id, start, end=None):
    """An inpatient stay, in days before today."""
    today = datetime.now(UTC).date()
    period = {"start": str(today - timedelta(days=start))} | ({} if end is None else {"end": str(today - timedelta(days=end))})
    return {
        "resourceType": "Encounter",
        "id": id,
        "status": "in-progress" if end is None else "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/alma"},
        "period": period,
    }


def made(repository):
    return sorted(stored.raw["code"]["coding"][0]["code"] for stored in repository.scan("Task"))


def test_watch_once_makes_what_follows_and_says_how_much(casebridge, shelf, repository):
    """C-20"""
    shelf.flagged("alma", "other", at=datetime.now(UTC).isoformat(timespec="seconds"))
    ran = casebridge("watch", "--once")
    assert (ran.code, ran.out, ran.err) == (0, "", "1 tasks made; 1 cases looked at.\n")
    assert casebridge("watch", "--once").err.startswith("0 tasks made")
    assert made(repository) == ["urgent-flag"]


def test_a_booked_appointment_that_passed_and_a_denied_authorisation_are_followed_up(casebridge, shelf, repository):
    """P-11, P-25"""
    day = datetime.now(UTC) - timedelta(days=3)
    at = {"start": day.isoformat(timespec="seconds"), "end": (day + timedelta(hours=1)).isoformat(timespec="seconds")}
    shelf.of("appointment", "Appointment", "missed", "alma", status="booked", client_attendance="accepted", **at)
    denied = {"insurer": "Organization/payer", "request": "preauthorisation", "status": "denied", "decided_at": at["start"]}
    shelf.of("authorisation", "ClaimResponse", "denied", "alma", **denied)
    assert casebridge("watch", "--once").code == 0
    assert made(repository) == ["authorisation-denied", "missed-appointment"]
    assert repository.read("Appointment", "missed").raw["status"] == "noshow"


def test_a_client_of_tier_high_who_was_not_spoken_to_for_eight_days_is_overdue(casebridge, repository):
    """P-26, V-13"""
    shelf, day = Shelf(repository), datetime.now(UTC) - timedelta(days=8)
    shelf.case("late", tier="high", opened=(day - timedelta(days=1)).isoformat(timespec="seconds"))
    shelf.contact("late", day.isoformat(timespec="seconds"))
    shelf.case("well", tier="high", opened=day.isoformat(timespec="seconds"))
    shelf.contact("well", (day + timedelta(days=1)).isoformat(timespec="seconds"))
    assert casebridge("watch", "--once").code == 0
    assert [(stored.record["case"], stored.record["code"]["code"]) for stored in repository.scan("Task")] == [
        ("EpisodeOfCare/c-late", "contact-overdue")
    ]


def test_a_transition_that_the_receiver_does_not_answer_is_told_to_a_supervisor(casebridge, shelf, repository):
    """P-24"""
    due = (datetime.now(UTC) - timedelta(days=7)).date().isoformat()
    handover = {"client": "Patient/alma", "case": "EpisodeOfCare/c-alma", "priority": "urgent", "due": due}
    shelf.task("silent", owner="Organization/rehab", **handover)
    shelf.task("answered", owner="Organization/rehab", status="accepted", **handover)
    assert casebridge("watch", "--once").code == 0
    [told] = [stored.record for stored in repository.scan("Task") if stored.id not in ("silent", "answered")]
    assert (told["code"]["code"], told["focus"]) == ("task-escalated", "Task/silent")


def test_an_import_of_a_stay_within_30_days_tells_the_case_manager(casebridge, shelf, repository, tmp_path):
    """V-15, P-22, O-02"""
    assert casebridge("watch", "--once").code == 0
    ran = casebridge("import", ndjson(tmp_path / "adt.ndjson", stay("first", 20, 10), stay("second", 1)))
    assert ran.code == 0
    assert "readmission" in made(repository)
    assert "tasks made" in ran.err


def test_a_pull_makes_what_follows_from_what_it_brought(casebridge, shelf, repository, hospital):
    """C-20, B-04"""
    theirs = hospital.create({"resourceType": "Patient", "name": [{"family": "Kanarifugl"}], "meta": {"tag": [SYNTHETIC_TAG]}}).raw["id"]
    casebridge("remote", "add", "ward", hospital.base_url, "--sandbox", "--type", "Patient", "--type", "Encounter")
    casebridge("pull", "ward")
    [client] = [stored.reference for stored in repository.scan("Patient") if stored.born == "ward"]
    shelf.case("river", tier="low", client=client, opened=datetime.now(UTC).isoformat(timespec="seconds"))
    casebridge("watch", "--once")
    hospital.create(stay("x", 8, 1) | {"subject": {"reference": f"Patient/{theirs}"}, "meta": {"tag": [SYNTHETIC_TAG]}})
    assert casebridge("pull", "ward").code == 0
    assert made(repository) == ["discharge-contact", "discharge-visit"]


def test_what_it_makes_is_sent_to_a_sandbox_whole(casebridge, shelf, repository, hospital):
    """B-07"""
    person(repository, "dana")
    shelf.flagged("alma", "other", at=datetime.now(UTC).isoformat(timespec="seconds"))
    casebridge("watch", "--once")
    casebridge("remote", "add", "ward", hospital.base_url, "--sandbox")
    ran = casebridge("push", "ward")
    assert (ran.code, "skip" in ran.out) == (0, False)
    assert {type: hospital.count(type, {}) for type in ("Task", "Device")} == {"Task": 1, "Device": 1}


def test_where_another_process_watches_a_command_leaves_it_to_that_one(casebridge, shelf, repository, tmp_path):
    with hold(State(repository.database), LEASE):
        assert casebridge("import", ndjson(tmp_path / "adt.ndjson", stay("first", 20, 10))).code == 0
        assert casebridge("watch", "--once").code == 5
    assert "Task" not in repository.types() or made(repository) == []


def test_a_watch_that_goes_on_follows_up_what_comes_in_while_it_runs(shelf, repository):
    """V-19"""
    deadline = time.monotonic() + PATIENCE
    with watching(repository):
        shelf.flagged("alma", "other", at=datetime.now(UTC).isoformat(timespec="seconds"))
        while "Task" not in repository.types() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert made(repository) == ["urgent-flag"]
