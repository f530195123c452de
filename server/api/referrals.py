"""Referrals: who could be asked, asking, the provider's answer, and all of a case."""

from http import HTTPStatus

import flask

from adapter.casework import referrals
from server.api import replies
from server.api.calls import Call


def listed(call: Call, id: str) -> flask.Response:
    """The referrals of a case: where each is, what it can become, what came of it; the open ones first."""
    return replies.page([replies.plain(row) for row in referrals.of_case(call.onlooker, id)])


def candidates(call: Call, id: str) -> flask.Response:
    """Whom a service can be referred to next: entries of the directory like those it names; what can be had soonest comes first."""
    return replies.page([replies.plain(each) for each in referrals.candidates(call.onlooker, id)])


def refer(call: Call, id: str) -> flask.Response:
    """The draft of a referral of a service to a provider; the same provider again is the same referral."""
    told = call.body
    more = {name: told[name] for name in ("priority", "due", "note") if name in told}
    return replies.of_record(referrals.refer(call.desk, id, told["to"], **more), HTTPStatus.CREATED)


def send(call: Call, id: str) -> flask.Response:
    """The referral, asked for: it is the provider's turn."""
    return replies.of_record(referrals.send(call.desk, id))


def answer(call: Call, id: str) -> flask.Response:
    """The referral with the provider's answer, told on its behalf; its service goes on as the answer says."""
    told = call.body
    found = referrals.answer(call.desk, id, told["status"], reason=told.get("reason"), results=told.get("results", ()))
    return replies.of_record(found)


def cancel(call: Call, id: str) -> flask.Response:
    """The referral taken back; its service can be referred to another."""
    return replies.of_record(referrals.cancel(call.desk, id, call.body["reason"]))
