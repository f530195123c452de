"""The statuses of a referral: one table, and what follows from it."""

import re
from itertools import product
from pathlib import Path

import pytest

from adapter.cases.planned_service import PlannedService
from adapter.cases.referrals import ANSWERS, OPEN, STAGES, carried_over, is_referral, moved, replaced
from adapter.cases.task import Task
from adapter.errors import NotNow, RuleViolated
from adapter.mapping.planned_service import PLANNED_SERVICE
from adapter.mapping.task import KINDS, TASK

AT = "2026-03-02T09:00:00Z"
PAGE = (Path(__file__).parents[2] / "docs" / "referrals.md").read_text("utf-8")
SERVICES = sorted(PlannedService.enumerations()["status"])


def task(status="requested", **fields):
    return {"status": status, "intent": "order", "focus": "ServiceRequest/v1"} | fields


@pytest.mark.parametrize(("old", "new"), [*product(STAGES, STAGES)])
def test_a_referral_goes_where_the_table_leads_and_nowhere_else(old, new):
    """C-01"""
    if new in STAGES[old].leads_to:
        after = moved(task(old), new, AT, "Kanarifugl")
        assert (after["status"], after["modified_at"]) == (new, AT)
        return
    with pytest.raises(NotNow) as refused:
        moved(task(old), new, AT, "Kanarifugl")
    assert (refused.value.code, refused.value.allowed) == ("referral_status_invalid", STAGES[old].leads_to)


def test_every_status_of_the_table_is_one_of_a_task_and_can_be_reached():
    assert STAGES.keys() <= Task.enumerations()["status"]
    assert {each for stage in STAGES.values() for each in stage.leads_to} == STAGES.keys() - {"draft"}
    assert {"rejected", "failed", "completed", "cancelled"} == STAGES.keys() - {*OPEN}
    assert "cancelled" not in ANSWERS


@pytest.mark.parametrize("status", ["rejected", "cancelled"])
def test_an_end_without_its_service_needs_a_reason(status):
    with pytest.raises(RuleViolated) as refused:
        moved(task(), status, AT)
    assert refused.value.code == "reason_missing"
    assert moved(task(), status, AT, "full")["status_reason"] == {"text": "full"}


def test_a_reason_is_of_one_status_only():
    waiting = moved(task("in_progress"), "on_hold", AT, "ill")
    assert "status_reason" not in moved(waiting, "in_progress", AT)


@pytest.mark.parametrize(("status", "service"), [*product(STAGES, SERVICES)])
def test_a_service_follows_its_referral_unless_it_is_over_or_so_already(status, service):
    over = service in ("completed", "cancelled", "stopped", "entered_in_error")
    wanted = STAGES[status].service
    found = carried_over(task(status), {"status": service, "description": "kept"})
    assert found == (None if over or wanted in (None, service) else {"status": wanted, "description": "kept"})


@pytest.mark.parametrize(
    ("other", "found"),
    [
        ({"status": "requested", "authored_at": "2026-02-01T09:00:00Z"}, True),
        ({"status": "failed", "authored_at": "2026-03-02T10:00:00+01:00"}, False),
        ({"status": "failed", "authored_at": "2026-03-02T09:30:00+00:00"}, True),
        ({"status": "failed"}, False),
    ],
)
def test_a_declined_referral_is_replaced_by_one_that_is_open_or_was_asked_for_later(other, found):
    assert replaced(task("failed", authored_at=AT), [task() | other]) is found
    assert not replaced(task("completed", authored_at=AT), [task() | other])


def test_a_task_that_follows_from_the_record_is_no_referral():
    assert is_referral(task())
    assert not is_referral(task(code=KINDS["authorisation_denied"]))
    assert not is_referral(task(focus="Encounter/e1"))


def test_the_document_has_the_table():
    """Our status, Task.status, what may follow, and ServiceRequest.status of an order that was active."""
    found = {row[0]: row[1:] for row in re.findall(r"^\| `([a-z_]+)` \| `([a-z-]+)` \| (.*?) \| (.*?) \| (.*?) \|$", PAGE, re.M)}
    assert found == {status: _row(status, stage) for status, stage in STAGES.items()}


def _row(status, stage):
    order = PLANNED_SERVICE.overlay(None, {"status": stage.service or "not_started"})["status"]
    said = "provider" if stage.provider else "case manager"
    leads_to = ", ".join(f"`{each}`" for each in stage.leads_to) or "—"
    return TASK.overlay(None, {"status": status})["status"], said, leads_to, f"`{stage.service}`, `{order}`" if stage.service else "—"
