"""Breaking the glass: seeing a client who is not among one's cases, for a reason and a time."""

from http import HTTPStatus

import flask

from adapter.casework import glass
from server.api import replies
from server.api.calls import Call
from server.audit.access import looks_for


def break_(call: Call) -> flask.Response:
    """The client of this id or identifier, seen from now on for as long as the policy says; others will read the reason."""
    told = call.body
    named = told.get("identifier")
    identifier = (named.get("system", ""), named.get("value", "")) if named else None
    id = told["client"].partition("/")[2] if "client" in told else None
    looks_for(flask.request.path, identifier="|".join(filter(None, identifier or ())), id=id or "")
    return replies.reply(replies.plain(glass.break_glass(call.desk, told["reason"], id=id, identifier=identifier)), HTTPStatus.CREATED)


def listed(call: Call) -> flask.Response:
    """What was broken, by oneself and by those whom one leads, the newest first."""
    return replies.page([replies.plain(each) for each in glass.broken(call.repository, call.desk.actor.reference)])


def end(call: Call, id: str) -> flask.Response:
    """One's own that does not count from now on, or that of somebody whom one leads."""
    return replies.reply(replies.plain(glass.end(call.desk, id)))
