"""The sessions of a service, booked all at once."""

from typing import Any

import flask

from adapter.cases.record import Fields
from adapter.casework import services
from adapter.casework.facts import facts_of
from adapter.casework.records import read
from adapter.errors import CasebridgeError, Invalid, RuleViolated
from server.console.case import head
from server.console.form import whole, zoned
from server.console.site import Site

_MINUTES = "60"
_MOST = 31
"""So many sessions of one period at most are asked for."""


def show(site: Site, id: str, service: str, refused: CasebridgeError | None = None) -> Any:
    """The form: when the sessions of the first period begin, and how long each is."""
    desk = site.desk()
    kept = read(site.repository, "case", id)
    fields = read(site.repository, "planned_service", service).fields
    return flask.render_template(
        "sessions.html",
        **head(site, kept, facts_of(desk, kept.reference, kept.fields)),
        service=fields,
        service_id=service,
        starts=_starts(fields),
        minutes=flask.request.form.get("minutes", _MINUTES),
        refused=refused,
    )


def _starts(service: Fields) -> list[str]:
    """What was typed as starts, else as many empty ones as there are sessions in a period."""
    number = min(int(service.get("timing", {}).get("frequency", 1)), _MOST)
    return flask.request.form.getlist("first") or [""] * number


def book(site: Site, id: str, service: str) -> Any:
    """The appointments, and back to the case; the form again with what is wrong."""
    asked = flask.request.form
    try:
        first = [zoned(text) for text in asked.getlist("first") if text]
        services.schedule(site.desk(), service, first, whole(asked.get("minutes", _MINUTES)), reason=asked.get("reason") or None)
    except (Invalid, RuleViolated) as refused:
        return show(site, id, service, refused), refused.status
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)
