"""A form made from an instrument, with the score as the answers stand; in the first step also what the step itself asks."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

import flask

from adapter.care.instrument import Instrument, Item, load, names
from adapter.care.questionnaire import SYSTEMS, canonical
from adapter.care.scoring import Given
from adapter.care.scoring import score as scored
from adapter.cases.record import Fields
from adapter.cases.screening import Screening
from adapter.casework.records import Kept, put, read
from adapter.errors import CasebridgeError, Invalid, RuleViolated
from server.console.names import full_name
from server.console.site import Site

_DOMAINS = ("medical", "financial", "living", "social")


def choose(site: Site, id: str) -> Any:
    """The instruments that there are."""
    site.desk()
    kept = read(site.repository, "case", id)
    return flask.render_template("instruments.html", **_head(site, kept), instruments=[load(name) for name in names()])


def show(site: Site, id: str, instrument: str, refused: CasebridgeError | None = None) -> Any:
    """The form, empty; one that was refused with what was answered and what is wrong."""
    site.desk()
    kept = read(site.repository, "case", id)
    words = Screening.enumerations()
    return flask.render_template(
        "screening.html",
        **_head(site, kept),
        asked=load(instrument),
        given=flask.request.form,
        refused=refused,
        of_step=kept.fields.get("step") == "screening",
        domains=_DOMAINS,
        sources=sorted(words["record_review.sources"]),
        dispositions=("proceed", "monitor", "not_eligible"),
    )


def _head(site: Site, kept: Kept) -> dict[str, Any]:
    client = read(site.repository, "client", kept.fields["client"].partition("/")[2])
    return {"id": kept.id, "case": kept.fields, "client_name": full_name(client.fields)}


def save(site: Site, id: str, instrument: str) -> Any:
    """Keep the answers, scored: in the first step as its screening, later as a response to the instrument; back to the case."""
    try:
        _keep(site, id, instrument)
    except (Invalid, RuleViolated) as refused:
        return show(site, id, instrument, refused), refused.status
    return flask.redirect(flask.url_for("console.case-show", id=id), 303)


def _keep(site: Site, id: str, instrument: str) -> None:
    desk, asked = site.desk(), load(instrument)
    kept = read(site.repository, "case", id)
    fields: Fields = {
        "client": kept.fields["client"],
        "case": kept.reference,
        "instrument": f"{canonical(asked.id)}|{asked.version}",
        "status": "completed",
        "answers": _answers(asked),
    }
    if flask.request.form.get("disposition"):
        concept, fields = "screening", fields | _of_step(desk.now()) | {"completed_at": desk.now(), "completed_by": desk.actor.reference}
    else:
        concept, fields = "response", fields | {"authored_at": desk.now(), "author": desk.actor.reference}
    put(desk, concept, str(uuid4()), {name: value for name, value in fields.items() if value})


def _of_step(now: str) -> Fields:
    """What the first step asks beside the instrument."""
    form = flask.request.form
    domains = {
        name: {"status": form.get(f"domain-{name}", "not_available")} | ({"notes": notes} if (notes := form.get(f"notes-{name}")) else {})
        for name in _DOMAINS
    }
    review = {"sources": form.getlist("sources"), "reviewed_at": now, "summary": form.get("summary", "")}
    told: Fields = {
        "mode": form.get("mode", "interview"),
        "record_review": {name: value for name, value in review.items() if value},
        "domains": domains,
        "disposition": form["disposition"],
    }
    optional = {"disposition_reason": form.get("disposition_reason"), "rescreen_on": form.get("rescreen_on")}
    return told | {name: value for name, value in optional.items() if value}


def score(site: Site, instrument: str) -> Any:
    """The score of the answers in the form, as JSON: `value`, `band`, `missing` (how many answers), `flags`; or the `problem` with them."""
    site.desk()
    asked = load(instrument)
    try:
        found = scored(asked.id, {item.link_id: given for item in asked.items if (given := _given(item))})
    except CasebridgeError as error:
        return {"problem": error.text}
    return {
        "value": found.value,
        "band": found.band.band if found.band else None,
        "missing": len(found.missing),
        "flags": [*found.flags],
        "needs": [*found.positive_domains],
    }


def _given(item: Item) -> list[Given]:
    """What the form has for an item. Raises Invalid for a number that is none."""
    texts = [text for text in flask.request.form.getlist(item.link_id) if text != ""]
    if item.type == "boolean":
        return [text == "true" for text in texts]
    if item.type == "choice":
        return [*texts]
    try:
        return [int(text) if item.type == "integer" else Decimal(text) for text in texts]
    except (ValueError, ArithmeticError):
        raise Invalid(f"The item {item.link_id} takes a number.", expression=[item.link_id]) from None


def _answers(asked: Instrument) -> list[Fields]:
    """What the form holds, as a record has it."""
    return [
        {"link_id": item.link_id, "text": item.text, "values": [_value(asked, item, value) for value in given]}
        for item in asked.items
        if (given := _given(item))
    ]


def _value(asked: Instrument, item: Item, given: Given) -> Fields:
    if item.type == "choice":
        told = next((answer.display for answer in item.answers if answer.code == given), str(given))
        return {"code": {"system": SYSTEMS[item.system or asked.system], "code": str(given), "display": told}}
    return {item.type: given}
