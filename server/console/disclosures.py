"""The accounting of disclosures on pages: of whom and since when, who was told what, and the same as a file or on paper. docs/audit.md"""

from collections.abc import Callable
from typing import Any

import flask

from adapter.audit.disclosures import Disclosure, as_csv, as_page
from adapter.casework import disclosures
from adapter.clock import instant
from adapter.errors import CasebridgeError, Conflict, Invalid, NotFound
from server.audit.access import looks_for
from server.console.site import Site

_PAGE = 200
_PERIOD = ("from", "to")
# The page that is filed has its style in itself.
_PAPER = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


def ask(site: Site, refused: CasebridgeError | None = None) -> Any:
    """The form: whose disclosures, and since when."""
    disclosures.demand(site.repository.sight)
    form = flask.request.form
    asked = {name: form.get(name, "").strip() for name in ("identifier", "id", *_PERIOD)}
    return flask.render_template("disclosures_ask.html", asked=asked, refused=refused)


def find(site: Site) -> Any:
    """On to the patient's page; the form again with what is wrong. The form sends a number beside the address, which others may read."""
    form = {name: value.strip() for name, value in flask.request.form.items()}
    number, id = form.get("identifier", ""), form.get("id", "").removeprefix("Patient/")
    looks_for(flask.request.path, identifier=number, id=id)
    try:
        if bool(number) == bool(id):
            raise Invalid("Say whose they are: by a number that the patient has, or by the id of the record.", expression=["identifier"])
        _in_order(form.get("from", ""), form.get("to", ""))
        found = disclosures.of_number(site.repository, number) if number else _id(site, id)
    except (Conflict, Invalid, NotFound) as refused:
        return ask(site, refused), refused.status
    return flask.redirect(flask.url_for("console.disclosures-show", id=found, **_period(form.get("from"), form.get("to"))), 303)


def show(site: Site, id: str) -> Any:
    """What was told of a patient, the oldest first, so many at a time."""
    patient, low, high = _asked(site, id)
    rows, rest = disclosures.some(site.repository, patient, low, high, flask.request.args.get("after", ""), _PAGE)
    period = _period(low, high)
    more = flask.url_for("console.disclosures-show", id=id, after=rest, **period) if rest else None
    begun = "after" not in flask.request.args
    return flask.render_template(
        "disclosures.html",
        id=id,
        patient=patient,
        others=disclosures.others(site.repository, id),
        rows=rows,
        period=period,
        more=more,
        begun=begun,
        names=site.names(),
    )


def csv(site: Site, id: str) -> Any:
    """All of it as a file for a spreadsheet."""
    return _file(site, id, lambda _, rows: as_csv(rows), "text/csv; charset=utf-8", f'attachment; filename="disclosures-{id}.csv"')


def page(site: Site, id: str) -> Any:
    """All of it as a page to be printed and filed."""
    made, period = instant(site.clock()), [flask.request.args.get(name) for name in _PERIOD]
    response = _file(site, id, lambda patient, rows: as_page(patient, rows, made, *period), "text/html; charset=utf-8", "inline")
    response.headers["Content-Security-Policy"] = _PAPER
    return response


def _file(site: Site, id: str, form: Callable[[str, list[Disclosure]], str], kind: str, disposition: str) -> flask.Response:
    patient, low, high = _asked(site, id)
    text = form(patient, disclosures.told(site.repository, patient, low, high))
    return flask.Response(text, content_type=kind, headers={"Content-Disposition": disposition})


def _asked(site: Site, id: str) -> tuple[str, str | None, str | None]:
    """The patient, and the period that the address says. Raises Forbidden, NotFound, Invalid."""
    patient = disclosures.of_id(site.repository, id)
    low, high = (flask.request.args.get(name) for name in _PERIOD)
    _in_order(low or "", high or "")
    return patient, low, high


def _period(low: str | None, high: str | None) -> dict[str, Any]:
    """The period as an address says it."""
    return {name: text for name, text in zip(_PERIOD, (low, high), strict=True) if text}


def _id(site: Site, id: str) -> str:
    return disclosures.of_id(site.repository, id).partition("/")[2]


def _in_order(low: str, high: str) -> None:
    """Raise Invalid for a period that ends before it begins, as far as both ends say."""
    if low and high and high[: len(low)] < low[: len(high)]:
        raise Invalid("The period ends before it begins.", expression=["to"])
