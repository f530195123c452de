"""The records of each concept: listed, made, read, replaced, deleted, and as they were."""

from http import HTTPStatus
from uuid import UUID, uuid5

import flask

from adapter.cases.record import Fields
from adapter.casework import cases, edits, listing
from adapter.casework.desk import Desk
from adapter.casework.past import history as versions
from adapter.casework.records import Kept, put, read, remove
from adapter.errors import Forbidden, Invalid, NotFound, RuleViolated, StaleRecord
from adapter.fhir.dates import BEGIN, span
from adapter.fhir.plain import is_id
from server.api import replies
from server.api.calls import NEW, Call

# Ids that are made from a request's id: the same request again finds what it made.
_REQUESTS = UUID("6f6d9fd8-5c5b-4f0f-9a0c-3f7b3d1c9a52")
_PAGING = ("cursor", "limit", "updated_since")


def listed(call: Call, concept: str) -> flask.Response:
    """A page of records, in the order in which they were last changed."""
    wanted = {name: value for name, value in call.query.items() if name not in _PAGING}
    since = span(call.query["updated_since"]) if "updated_since" in call.query else None
    page = listing.page(
        call.repository,
        concept,
        wanted,
        since=since[0] if since else BEGIN,
        cursor=call.query.get("cursor"),
        limit=call.query.get("limit", listing.USUAL),
    )
    return replies.page([replies.body(kept) for kept in page.records], page.cursor)


def create(call: Call, concept: str) -> flask.Response:
    """A new record. With an Idempotency-Key, the same request again finds what it made."""
    desk, fields = call.desk, edits.new(concept, dict(call.body))
    id = str(uuid5(_REQUESTS, f"{desk.actor.reference} {concept} {call.request_id}")) if call.request_id else None
    if id and (made := _made(call, concept, id)):
        return replies.of_record(made)
    try:
        kept = _new(desk, concept, id, fields)
    except StaleRecord:
        # Only of two requests with one id at the same time does one come to this.
        if id is None or not (made := _made(call, concept, id)):
            raise
        return replies.of_record(made)
    return replies.of_record(kept, HTTPStatus.CREATED)


def _new(desk: Desk, concept: str, id: str | None, fields: Fields) -> Kept:
    return cases.open_case(desk, fields, id=id) if concept == "case" else put(desk, concept, id, fields, expect=NEW)


def _made(call: Call, concept: str, id: str) -> Kept | None:
    """What the same request made before. Raises RuleViolated `request_reused` where that was another request under the same id."""
    try:
        past = versions(call.repository, concept, id)
    except NotFound:
        return None
    first = past[-1].record
    if first is None or any(first.fields.get(name) != value for name, value in call.body.items()):
        raise RuleViolated("This Idempotency-Key was used for another request.", code="request_reused")
    return read(call.repository, concept, id)


def one(call: Call, concept: str, id: str) -> flask.Response:
    """A record; 304 where the caller has this version already."""
    kept = read(call.repository, concept, id)
    return replies.unchanged(kept) if call.has(kept.version) else replies.of_record(kept)


def replace(call: Call, concept: str, id: str) -> flask.Response:
    """The record with these fields instead of those it had; with `If-None-Match: *` a new one of this id."""
    expected = call.expected
    desk = call.desk_of(id) if expected == NEW and concept == "case_manager" else call.desk
    if expected == NEW:
        if call.repository.sight:
            raise Forbidden("Who does not see everything makes a record by POST: whether an id is in use is not told.")
        if not is_id(id):
            raise Invalid("An id is of up to 64 letters, digits, hyphens and dots.", expression=["id"])
        return replies.of_record(_new(desk, concept, id, edits.new(concept, dict(call.body))), HTTPStatus.CREATED)
    before = read(call.repository, concept, id)
    if before.version != expected:
        raise StaleRecord(f"This {concept} is at version {before.version}; look at it again before you change it.")
    fields = edits.edited(concept, before.fields, dict(call.body))
    return replies.of_record(put(desk, concept, id, fields, expect=expected))


def delete(call: Call, concept: str, id: str) -> flask.Response:
    """The record deleted; its versions stay."""
    remove(call.desk, concept, id, expect=call.expected)
    return replies.reply(None, HTTPStatus.NO_CONTENT)


def history(call: Call, concept: str, id: str) -> flask.Response:
    """The versions of a record, newest first, each with who made it and why."""
    return replies.page([replies.past(version, id) for version in versions(call.repository, concept, id)])
