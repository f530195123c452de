"""Instruments: forms, scores as answers stand, what a screening shows, what imported records answer, and the risk that follows."""

from decimal import Decimal
from http import HTTPStatus
from typing import Any

import flask

from adapter.care.instrument import load, names
from adapter.care.proposal import proposal
from adapter.care.questionnaire import canonical, questionnaire
from adapter.care.scoring import Given
from adapter.cases.scored import scored
from adapter.casework import findings
from adapter.casework.facts import facts_about
from adapter.casework.proposals import known
from adapter.casework.records import read
from adapter.casework.weighing import weighed
from adapter.errors import Invalid
from server.api import replies
from server.api.calls import Call


def listed(call: Call) -> flask.Response:  # noqa: ARG001 - every handler is given the call
    """The instruments that there are; `instrument` is what a screening or response names it by."""
    found = [load(name) for name in names()]
    return replies.page([{"id": each.id, "title": each.title, "instrument": f"{canonical(each.id)}|{each.version}"} for each in found])


def form(call: Call, id: str) -> flask.Response:  # noqa: ARG001 - every handler is given the call
    """An instrument as a FHIR Questionnaire, to make a form of."""
    return replies.reply(questionnaire(id))


def preview(call: Call) -> flask.Response:
    """The score of answers as they stand; nothing is kept."""
    found = scored(dict(call.body))
    if found is None:
        raise Invalid("There is no such instrument; /api/instruments lists those that there are.", expression=["instrument"])
    band = {"band": found.band.band} if found.band else {}
    told: dict[str, Any] = {
        "complete": found.complete,
        "missing": found.missing,
        "unknown": found.unknown,
        "flags": found.flags,
        "advice": found.advice,
        "positive_needs": found.positive_domains,
        "subtotals": replies.filled(dict(found.subtotals)),
    }
    return replies.reply({**replies.filled({"value": found.value, "positive": found.positive}), **band, **told})


def waiting(call: Call, id: str) -> flask.Response:
    """The conditions that a screening shows and on which nobody has spoken yet."""
    found = findings.waiting(call.repository, id)
    return replies.page([{"id": each.id, "domain": each.domain, "condition": each.fields, "link_ids": each.link_ids} for each in found])


def decide(call: Call, id: str, finding: str) -> flask.Response:
    """The condition that a finding becomes, confirmed or refuted."""
    kept = findings.decide(call.desk, id, finding, holds=call.body["holds"], reason=call.body.get("reason"))
    return replies.of_record(kept, HTTPStatus.CREATED)


def propose(call: Call, id: str) -> flask.Response:
    """Answers to an instrument that follow from what was imported of the client, with their evidence; for a person to look at."""
    client = read(call.repository, "client", id)
    stay = call.query.get("stay")
    found = proposal(call.query["instrument"], known(call.repository, client.reference), call.repository.clock().date(), stay)
    items = [{"link_id": each.link_id, "values": [_value(one) for one in each.answers], "evidence": each.evidence} for each in found.items]
    return replies.reply({"instrument": found.instrument, "items": items, "open": found.open})


def weigh(call: Call, id: str) -> flask.Response:
    """What the records of a case say about its risk: a level for each factor with its evidence; for a person to look at."""
    desk, case = call.onlooker, read(call.repository, "case", id)
    found = weighed(facts_about(desk, case.reference, case.fields), desk.now()[:10])
    return replies.reply({"factors": [replies.plain(each) for each in found.factors], "urgent_flags": found.urgent_flags})


_KINDS: dict[type, str] = {bool: "boolean", int: "integer", Decimal: "decimal"}


def _value(given: Given) -> dict[str, Any]:
    """An answer as a record has it."""
    return {_KINDS[type(given)]: given} if type(given) in _KINDS else {"code": {"code": given}}
