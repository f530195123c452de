"""The insurance of a case: how it stands; eligibility and authorisations asked for, answered, appealed, withdrawn."""

from http import HTTPStatus

import flask

from adapter.casework import insurance
from server.api import replies
from server.api.calls import Call


def standing(call: Call, id: str) -> flask.Response:
    """The coverages of a case's client, and of each service what must be authorised, was asked and answered, and can be done next."""
    found = insurance.insurance(call.onlooker, id)
    return replies.reply({"coverages": [], "services": [], **replies.plain(found)})


def ask_eligibility(call: Call, id: str) -> flask.Response:
    """The question to the insurer what it pays for of a service; one that waits for its answer is not asked again."""
    service = f"ServiceRequest/{id}"
    return replies.of_record(insurance.ask_eligibility(call.desk, [service], **call.body), HTTPStatus.CREATED)


def ask_eligibility_of_plan(call: Call, id: str) -> flask.Response:
    """The same question about all services of a plan that go on."""
    return replies.of_record(insurance.ask_eligibility_of_plan(call.desk, id, **call.body), HTTPStatus.CREATED)


def answer_eligibility(call: Call, id: str) -> flask.Response:
    """What an insurer answered to the question, entered by hand; the services that it names need an authorisation or not from now on."""
    return replies.of_record(insurance.answer_eligibility(call.desk, id, dict(call.body)))


def ask_authorisation(call: Call, id: str) -> flask.Response:
    """The authorisation of a service, asked for and waiting; one that waits is not asked for again."""
    return replies.of_record(insurance.ask_authorisation(call.desk, f"ServiceRequest/{id}", **call.body), HTTPStatus.CREATED)


def answer_authorisation(call: Call, id: str) -> flask.Response:
    """The authorisation as the insurer decided, entered by hand; the same again changes nothing."""
    return replies.of_record(insurance.answer_authorisation(call.desk, id, dict(call.body)))


def appeal(call: Call, id: str) -> flask.Response:
    """The authorisation that is asked for anew against a denial, with the word that is put in and a task with the deadline."""
    return replies.of_record(insurance.appeal(call.desk, id, **call.body), HTTPStatus.CREATED)


def withdraw(call: Call, id: str) -> flask.Response:
    """The authorisation, no longer asked for; of an appeal, the denial stands again."""
    return replies.of_record(insurance.withdraw(call.desk, id, **call.body))
