"""What is done with a plan and its services: options shown and chosen, the client's word, adjustments; necessity, status, sessions."""

from http import HTTPStatus

import flask

from adapter.casework import plans, services
from server.api import replies
from server.api.calls import Call


def options(call: Call, id: str) -> flask.Response:
    """The options of a plan compared: the cheapest first, with the goals that each leaves open."""
    return replies.page([replies.plain(option) for option in plans.options(call.onlooker, id)])


def present(call: Call, id: str) -> flask.Response:
    """The plan, its options shown to the client now."""
    return replies.of_record(plans.show(call.desk, id))


def choose(call: Call, id: str) -> flask.Response:
    """The plan with the option that the client chose; its proposals become orders."""
    return replies.of_record(plans.choose(call.desk, id, call.body["option"]))


def answer(call: Call, id: str) -> flask.Response:
    """The plan with the client's word on it."""
    return replies.of_record(plans.answer(call.desk, id, call.body["status"], call.body["by"]))


def propose(call: Call, id: str) -> flask.Response:
    """The plan with an adjustment that is proposed, named by the moment."""
    return replies.of_record(plans.propose(call.desk, id, **call.body, request_id=call.request_id))


def accept(call: Call, id: str) -> flask.Response:
    """The plan with the client's word on an adjustment."""
    told = call.body
    return replies.of_record(plans.accept(call.desk, id, told["proposed_at"], accepted=told["accepted"], request_id=call.request_id))


def carry_out(call: Call, id: str) -> flask.Response:
    """The plan's next version, with a minor adjustment carried out."""
    told = call.body
    made = plans.carry_out(call.desk, id, told["proposed_at"], told["updates"], reason=told.get("reason"), request_id=call.request_id)
    return replies.of_record(made)


def redraft(call: Call, id: str) -> flask.Response:
    """The draft that is to replace the plan, for a major adjustment; asked for again, the same draft."""
    made = plans.redraft(call.desk, id, call.body["proposed_at"], call.body["updates"])
    return replies.of_record(made, HTTPStatus.CREATED)


def decide(call: Call, id: str) -> flask.Response:
    """The service with whether it is medically needed, as who acts decides now."""
    told = call.body
    return replies.of_record(services.decide(call.desk, id, told["determination"], told["rationale"], self_funded=told.get("self_funded")))


def move(call: Call, id: str) -> flask.Response:
    """The service in another status."""
    return replies.of_record(services.move(call.desk, id, call.body["status"], reason=call.body.get("reason")))


def schedule(call: Call, id: str) -> flask.Response:
    """The appointments of all sessions of a service, none meeting another of the client's; asked for again, the same."""
    told = call.body
    made = services.schedule(call.desk, id, told["first"], told["minutes"], reason=told.get("reason"))
    return replies.page([replies.body(kept) for kept in made])
