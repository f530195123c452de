"""What the case API answers: JSON with the digits of decimals kept, ETags, and nothing that a cache may keep."""

from dataclasses import asdict
from datetime import date, datetime
from http import HTTPStatus
from typing import Any

import flask

from adapter.casework.past import Version
from adapter.casework.records import Kept
from adapter.clock import instant
from adapter.fhir.bundle import weak_etag
from adapter.fhir.resource import dumps
from server.api.paths import path_of
from server.fhir.headers import UNCACHED, http_date

JSON = "application/json"


def reply(value: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> flask.Response:
    """A JSON value; None for no body."""
    body = b"" if value is None else dumps(value).encode()
    kind = {"Content-Type": JSON} if value is not None else {}
    return flask.Response(body, status, {**kind, **UNCACHED, **(headers or {})})


def of_record(kept: Kept, status: int = HTTPStatus.OK) -> flask.Response:
    """A record, with the ETag that a change of it must name."""
    headers = {"ETag": weak_etag(str(kept.version)), "Last-Modified": http_date(kept.updated)}
    if status == HTTPStatus.CREATED:
        headers["Location"] = f"/api/{path_of(kept.concept)}/{kept.id}"
    return reply(body(kept), status, headers)


def unchanged(kept: Kept) -> flask.Response:
    """That the caller has this version of the record."""
    return reply(None, HTTPStatus.NOT_MODIFIED, {"ETag": weak_etag(str(kept.version))})


def body(kept: Kept) -> dict[str, Any]:
    """A record as JSON: its fields, its id, and what the server says about it."""
    meta = {"reference": kept.reference, "version": kept.version, "updated": instant(kept.updated)}
    return {"id": kept.id, "meta": meta, **kept.fields}


def past(version: Version, id: str) -> dict[str, Any]:
    """A version of a record as JSON: also who made it; of a deletion nothing else."""
    told = {"by": version.by, "activity": version.activity, "reason": version.reason}
    made = {name: value for name, value in told.items() if value}
    if version.record is None:
        return {"id": id, "meta": {"version": version.number, "updated": instant(version.updated), "deleted": True, **made}}
    whole = body(version.record)
    return {**whole, "meta": whole["meta"] | made}


def page(items: list[dict[str, Any]], cursor: str | None = None) -> flask.Response:
    """A page of a list; `cursor` asks for the next one."""
    return reply({"items": items, **({"cursor": cursor} if cursor else {})})


def plain(row: Any) -> dict[str, Any]:
    """A row of a view as JSON: what it has; days and moments as texts."""
    told: dict[str, Any] = asdict(row, dict_factory=lambda pairs: filled({name: _text(value) for name, value in pairs}))
    return told


def filled(told: dict[str, Any]) -> dict[str, Any]:
    """The members that are not empty: what is absent is an absent member."""
    return {name: value for name, value in told.items() if value not in (None, "", (), [], {})}


def _text(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return value.isoformat() if isinstance(value, date) else value
