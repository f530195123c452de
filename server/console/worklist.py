"""The first page: what is to be done, most pressing first, and the cases of a caseload; the team for those who supervise it."""

from fractions import Fraction
from typing import Any

import flask

from adapter.care.model import STANDARD_CASELOAD, rules
from adapter.cases.record import Fields
from adapter.casework import worklist
from adapter.casework.desk import Desk
from adapter.casework.records import Kept, amend
from adapter.errors import Forbidden
from server.console.site import Site


def show(site: Site) -> Any:
    """The visitor's list and caseload; those who supervise may look at another's."""
    desk, names = site.desk(), site.names()
    whose = flask.request.args.get("of") or desk.actor.reference
    if whose != desk.actor.reference:
        _supervise(desk)
    lists = {kind: worklist.due(desk, whose, kind) for kind in worklist.LISTS}
    kind = flask.request.args.get("list", "due")
    return flask.render_template(
        "worklist.html",
        lists=lists,
        kind=kind if kind in lists else "due",
        cases=worklist.caseload(desk, whose),
        tasks={
            row.reference: _task(site, row.reference) for row in lists["due"] + lists["overdue"] + lists["urgent"] if row.what == "task"
        },
        whose=whose,
        mine=whose == desk.actor.reference,
        actor=desk.actor,
        today=site.clock().date(),
        names=names,
    )


def _task(site: Site, reference: str) -> Fields:
    stored = site.repository.read("Task", reference.partition("/")[2])
    return {**stored.record, "id": stored.id}


def team(site: Site) -> Any:
    """How full each caseload is, and what in it is late or urgent."""
    desk = site.desk()
    _supervise(desk)
    sight, rows = site.repository.sight, []
    for stored in site.repository.scan("PractitionerRole", {"concept": "case_manager"}):
        if stored.deleted or not stored.record.get("discipline"):
            continue
        whose = f"Practitioner/{stored.id}"
        if sight and whose not in sight.viewer.ties:
            continue
        cases = worklist.caseload(desk, whose)
        taken = sum((rules(case.models).places for case in cases), Fraction())
        rows.append(
            {
                "whose": whose,
                "cases": len(cases),
                "taken": float(taken),
                "limit": stored.record.get("caseload_limit", STANDARD_CASELOAD),
                "urgent": sum(1 for case in cases if case.urgent_flags),
                "overdue": len(worklist.due(desk, whose, "overdue")),
                "next_due": min((case.next_due for case in cases if case.next_due), default=None),
            }
        )
    rows.sort(key=lambda row: (-row["urgent"], -row["overdue"], -row["taken"]))
    return flask.render_template("team.html", rows=rows, today=site.clock().date(), names=site.names())


def _supervise(desk: Desk) -> None:
    if not desk.actor.supervisor:
        raise Forbidden("Another's caseload is shown to supervisors.")


def claim(site: Site, id: str) -> Any:
    """The task is the visitor's, and accepted."""
    desk = site.desk()

    def taken(task: Kept) -> Fields:
        return {**task.fields, "owner": desk.actor.reference, "status": "accepted", "modified_at": desk.now()}

    amend(desk, "task", id, taken, activity="task-claimed")
    return _back()


def complete(site: Site, id: str) -> Any:
    """The task is done, now."""
    desk = site.desk()

    def done(task: Kept) -> Fields:
        executed = {**task.fields.get("executed", {}), "end": desk.now()}
        return {**task.fields, "status": "completed", "modified_at": desk.now(), "executed": executed}

    amend(desk, "task", id, done, activity="task-completed")
    return _back()


def _back() -> Any:
    case = flask.request.form.get("case", "").rpartition("/")[2]
    return flask.redirect(flask.url_for("console.case-show", id=case) if case else "/", 303)
