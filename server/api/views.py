"""What is read across records: a case over time and through its lenses, caseloads, worklists, the directory, measures, and why."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import flask

from adapter.cases.credentials import ccm_eligibility, lapsed
from adapter.cases.workflow import phase6
from adapter.casework import worklist
from adapter.casework.directory import directory as listed
from adapter.casework.facts import records_of
from adapter.casework.lenses import lenses, preferences
from adapter.casework.measures import Period, definitions, evaluate
from adapter.casework.measures.report import as_csv, as_json
from adapter.casework.outcome import proposed
from adapter.casework.records import read
from adapter.casework.timeline import timeline as in_time
from adapter.casework.trace import trace as traced
from adapter.errors import Invalid
from server.api import replies
from server.api.calls import Call
from server.fhir.headers import UNCACHED


def timeline(call: Call, id: str) -> flask.Response:
    """The steps and records of a case, oldest first; what has no date is last."""
    return replies.page([replies.plain(item) for item in in_time(call.repository, read(call.repository, "case", id))])


def summary(call: Call, id: str) -> flask.Response:
    """A case in brief: its step, its phase of six, what the client prefers, and three lenses; an empty lens says so in its note."""
    case = read(call.repository, "case", id)
    records = records_of(call.repository, case.reference, case.fields)
    found = {name: {"items": [], **replies.plain(lens), **replies.filled({"note": lens.note})} for name, lens in lenses(records).items()}
    preferred = [replies.plain(each) for each in preferences(records)]
    return replies.reply(
        {**replies.filled({"step": case.fields.get("step"), "phase6": phase6(case.fields), "preferences": preferred}), **found}
    )


def caseload(call: Call, id: str) -> flask.Response:
    """The open cases of a case manager with step, tier and next due date, in the order in which they need attention."""
    manager = read(call.repository, "case_manager", id)
    return replies.page([replies.plain(row) for row in worklist.caseload(call.onlooker, f"Practitioner/{manager.id}")])


def credentials(call: Call, id: str) -> flask.Response:
    """Which credentials of a case manager have lapsed, and whether the exam for Certified Case Manager is open to them."""
    fields, at = read(call.repository, "case_manager", id).fields, call.onlooker.now()
    found = ccm_eligibility(fields, at)
    return replies.reply({"lapsed": lapsed(fields, at), **replies.plain(found), "overall": found.overall})


def work(call: Call, kind: str) -> flask.Response:
    """What a case manager has to do: `due`, `overdue` or `urgent`. Whose list it is says `case_manager`, or who acts."""
    desk = call.onlooker
    manager = call.query.get("case_manager") or desk.actor.reference
    if not manager:
        raise Invalid("Whose worklist it is says case_manager, or who acts.", expression=["case_manager"])
    return replies.page([replies.plain(row) for row in worklist.due(desk, manager, kind)])


def directory(call: Call) -> flask.Response:
    """Whom and what a client can be referred to, by kind, specialty and place; what can be had soonest comes first."""
    asked = call.query
    found = listed(call.onlooker, asked["kind"], specialty=asked.get("specialty"), near=asked.get("near"))
    return replies.page([replies.plain(each) for each in found])


def outcome(call: Call, id: str) -> flask.Response:
    """What came of a case, as far as its record tells: fields of an outcome, for a person to review."""
    return replies.reply(proposed(call.repository, id, call.repository.clock))


def measures(call: Call) -> flask.Response:  # noqa: ARG001 - every handler is given the call
    """The measures that can be evaluated."""
    return replies.page([{"id": each.id, "title": each.title, "scoring": each.scoring} for each in definitions().values()])


def measure(call: Call, id: str) -> flask.Response:
    """A measure of a period, for all clients or one; divided by manager, model, tier, month or currency; as JSON or CSV."""
    asked = call.query
    period = Period(_day(asked, "start"), _day(asked, "end"))
    found = evaluate(call.repository, id, period, asked.get("by"), subject=asked.get("subject"))
    if asked.get("format") == "csv":
        return flask.Response(as_csv(found), headers={"Content-Type": "text/csv; charset=utf-8", **UNCACHED})
    return replies.reply(as_json(found, members=asked.get("members", False)))


def _day(asked: Mapping[str, Any], name: str) -> date:
    try:
        return date.fromisoformat(asked[name])
    except ValueError:
        raise Invalid(f"{name} is a whole date: YYYY-MM-DD.", expression=[name]) from None


def trace(call: Call, id: str) -> flask.Response:
    """Why something is in a case, and whether it helped: the chain of evidence back from it and on to the outcome."""
    return replies.reply(replies.plain(traced(call.repository, id, call.query["element"])))
