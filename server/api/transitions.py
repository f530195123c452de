"""Transitions of care: the checklist, the transfer summary that is sent, and the receiver's word."""

import flask

from adapter.casework import transitions
from server.api import replies
from server.api.calls import Call


def prepare(call: Call, id: str) -> flask.Response:
    """The transition plan, its checklist brought to what the record tells, with why; what a person said stays."""
    return replies.of_record(transitions.prepare(call.desk, id))


def send(call: Call, id: str) -> flask.Response:
    """The transition plan, its transfer summary sent to the receiver; what says the same is sent once."""
    return replies.of_record(transitions.send(call.desk, id, due=call.body.get("due")))


def answer(call: Call, id: str) -> flask.Response:
    """The transition plan with the receiver's word, told on their behalf."""
    return replies.of_record(transitions.answer(call.desk, id, call.body["status"], reason=call.body.get("reason")))


def document(call: Call, id: str) -> flask.Response:
    """The transfer summary that was sent last, as a FHIR Bundle of type document."""
    return replies.reply(transitions.package(call.onlooker, id))
