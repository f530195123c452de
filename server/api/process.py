"""A case's way through its process: where it can go, going there, who manages it, by which models; and what is worth a warning."""

import flask

from adapter.casework import cases
from adapter.casework.facts import facts_of
from adapter.casework.records import read
from adapter.casework.ways import ways
from adapter.errors import Invalid
from server.api import replies
from server.api.calls import Call


def possible(call: Call, id: str) -> flask.Response:
    """The transitions that the case's step allows, each with what is missing for it."""
    desk, case = call.onlooker, read(call.repository, "case", id)
    found = ways(desk, case, facts_of(desk, case.reference, case.fields))
    return replies.page(
        [
            {
                "transition": way.transition,
                "trigger": way.trigger,
                "to": way.target,
                "needs_reason": way.needs_reason,
                "missing": list(way.missing),
            }
            for way in found
        ]
    )


def transit(call: Call, id: str) -> flask.Response:
    """The case after a transition. The same request_id, or Idempotency-Key, again changes nothing."""
    named = call.body.get("request_id")
    if named and call.request_id and named != call.request_id:
        raise Invalid("The request_id and the Idempotency-Key are two names of one thing; they differ.", expression=["request_id"])
    way = call.body.get("transition") or call.body["to"]
    return replies.of_record(cases.transit(call.desk, id, way, reason=call.body.get("reason"), request_id=named or call.request_id))


def assign(call: Call, id: str) -> flask.Response:
    """The case with another primary case manager from now on."""
    return replies.of_record(cases.assign(call.desk, id, call.body["case_manager"], reason=call.body.get("reason")))


def take_up(call: Call, id: str) -> flask.Response:
    """A case that another system opened, in its first step here; one that has a step as it is."""
    return replies.of_record(cases.take_up(call.desk, id, reason=call.body.get("reason")))


def follow(call: Call, id: str) -> flask.Response:
    """The case, led by other models from now on; those before stay in it, ended."""
    return replies.of_record(cases.follow_models(call.desk, id, call.body["models"], reason=call.body.get("reason")))


def alerts(call: Call, id: str) -> flask.Response:
    """What about the case is worth a warning now, and stops nothing."""
    return replies.page([replies.plain(alert) for alert in cases.alerts(call.onlooker, id)])
