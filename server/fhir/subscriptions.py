"""What a Subscription must be to be accepted, and the status it then has. http://hl7.org/fhir/R4/subscription.html#errors

A client asks for `requested` or `off`; that a Subscription is active or in error is for the server to say.
"""

from dataclasses import replace
from urllib.parse import unquote

from adapter.audit.event import TYPE as AUDIT_EVENT
from adapter.errors import Forbidden, Invalid
from adapter.fhir.resource import Raw, same
from adapter.store.repository import Repository
from adapter.store.subscriptions import TYPE, query, read
from adapter.sync.subscriptions import endpoints
from adapter.sync.subscriptions.delivery import with_status
from server.auth.tokens import REFRESH
from server.fhir.messages import Request
from server.fhir.writes import Write

DOCUMENTATION = """\
Channels of type rest-hook only, to this machine or to an https address that the site allows; payload application/fhir+json or none.
Criteria are a search of one type that the changed resource alone answers: no chains, `_has`, `_list`, nor `:in :not-in :above :below` of
tokens. A deletion is told where the resource met the criteria. Written with status requested (or off, for a pause), a Subscription is
active once its endpoint has answered. Notifications are signed (Standard Webhooks), in order, and sent until they are taken; an answer of
410 ends them. Where callers are asked who they are a Subscription is its owner's alone, goes to what the site allows, and tells what the
owner sees when it is told."""


def accepted(request: Request, repository: Repository, write: Write) -> Write:
    """The write of a Subscription, with its status and its owner. Raises Invalid, Forbidden where it cannot or may not be served."""
    if write.type != TYPE or write.raw is None or write.found is not None:
        return write
    asked = read(write.raw)
    if f"{request.base}/" in unquote(asked.criteria):
        raise Invalid("Criteria name what is here by Type/id, without the address of this server.", expression=[f"{TYPE}.criteria"])
    endpoints.check(asked.endpoint, payload=asked.payload, named=request.subscribers, operators=request.owns is None)
    if asked.status != "off" and asked.end is not None and asked.end <= repository.clock():
        raise Invalid("The end is in the past.", expression=[f"{TYPE}.end"])
    if request.owns is not None:
        _check_owner(request, query(asked.criteria).type)
    stored = repository.find(TYPE, write.id) if write.expect else None
    made = replace(write, raw=_with_status(write.raw, stored.raw if stored and not stored.deleted else {}))
    owner = next((row.owner for row in repository.subscribed() if row.id == write.id and not row.gone), None)
    if request.owns in (None, owner):
        return made
    # Other scopes are another version, also where it says the same: what is being told by the old ones ends with it.
    return replace(made, owner=request.owns, before=None)


def _check_owner(request: Request, type: str) -> None:
    """Raise Forbidden unless whoever asks may be told of this type, and goes on to be asked who they are."""
    # Whoever is told of changes reads them, and finds them.
    request.grant.demand(type, "rs", whole=False)
    if type == AUDIT_EVENT:
        raise Forbidden("What is told is written down in AuditEvents: who were told of these would never come to an end.")
    owns = request.owns or {}
    if "user" in owns and not REFRESH.keys() & owns["scope"].split():
        either = " or ".join(REFRESH)
        raise Forbidden(f"An app is told of changes where the person lets it go on without them: it needs the scope {either}.")


def _with_status(raw: Raw, before: Raw) -> Raw:
    """The Subscription as it is to be stored, where `before` is what it was."""
    wanted, was = raw["status"], before.get("status")
    if wanted == "off":
        # Off for good stays so, and a pause stays a pause: the error tells them apart.
        return with_status(raw, "off", before.get("error") if was == "off" else None)
    if wanted != "requested" and was in ("active", "error") and same(raw["channel"], before["channel"]):
        return with_status(raw, was, before.get("error"))
    return with_status(raw, "requested")
