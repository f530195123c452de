"""A record written: begun or changed by a form made from its fields, with errors beside them and nothing typed lost.

Where somebody else changed the record meanwhile, what they changed and this form did not is taken over; the rest is told.
"""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import flask

from adapter.cases.facts import Facts, plan_in_hand
from adapter.cases.headline import headline
from adapter.cases.record import Fields
from adapter.cases.registry import RECORDS, types_of
from adapter.cases.wording import label
from adapter.casework import records
from adapter.casework.facts import facts_of
from adapter.casework.outcome import proposed
from adapter.casework.past import at, history
from adapter.errors import CasebridgeError, Invalid, NotFound, RuleViolated, StaleRecord
from server.console import form, forms
from server.console.around import choices
from server.console.names import full_name
from server.console.shown import plain
from server.console.site import Site

# A new goal or service belongs to the plan that is being drafted.
_JOINS = {"goal": "goals", "planned_service": "services"}
_ON_PLAN = ("plan", *_JOINS)
# People and what they offer are there before any case.
_OF_NO_CASE = ("client", "stakeholder", "healthcare_service", "professional_role")


@dataclass(frozen=True)
class Sheet:
    """A form of a record, and around what it is filled in. `id` and `version` are None and 0 for a new record."""

    concept: str
    id: str | None
    version: int
    before: Fields
    case: str
    facts: Facts


def new(site: Site, concept: str) -> Any:
    """The empty form of a new record of a case, with what is known filled in."""
    sheet = _new(site, concept)
    several = {name: form.kind_of(field) in ("words", "references") for name, field in form.schema(RECORDS[concept]).items()}
    asked = {
        name: values if several[name] else values[0] for name, values in flask.request.args.lists() if name in several and name != "case"
    }
    return _page(site, sheet, {**sheet.before, **asked}, {})


def create(site: Site, concept: str) -> Any:
    """The new record, and back to its case; the form again with what is wrong."""
    return _write(site, _new(site, concept))


def edit(site: Site, concept: str, id: str) -> Any:
    """The form of a record as it is."""
    sheet = _stored(site, concept, id, None)
    return _page(site, sheet, sheet.before, {})


def change(site: Site, concept: str, id: str) -> Any:
    """The record as the form has it, and back to its case; the form again with what is wrong, or with what changed meanwhile."""
    return _write(site, _stored(site, concept, id, form.whole(flask.request.form.get("version", ""))))


def _new(site: Site, concept: str) -> Sheet:
    desk = site.desk()
    _known(concept)
    case = flask.request.values.get("case", "").rpartition("/")[2]
    if concept in _OF_NO_CASE and not case:
        return Sheet(concept, None, 0, forms.begun(concept, forms.Start(desk.actor.reference, desk.now(), "", "", Facts())), "", Facts())
    kept = records.read(site.repository, "case", case)
    facts = facts_of(desk, kept.reference, kept.fields)
    start = forms.Start(desk.actor.reference, desk.now(), kept.reference, kept.fields["client"], facts)
    known = proposed(site.repository, kept.id, site.clock) if concept == "outcome" else {}
    return Sheet(concept, None, 0, known | forms.begun(concept, start), kept.reference, facts)


def _stored(site: Site, concept: str, id: str, version: int | None) -> Sheet:
    """The record as it was at this version, or is."""
    desk = site.desk()
    _known(concept)
    kept = records.read(site.repository, concept, id)
    then = kept if version is None or version == kept.version else at(site.repository, concept, id, version)
    facts = Facts()
    if kept.case:
        whole = records.read(site.repository, "case", kept.case.partition("/")[2])
        facts = facts_of(desk, whole.reference, whole.fields)
    return Sheet(concept, id, then.version, then.fields, kept.case or "", facts)


def _known(concept: str) -> None:
    if concept not in RECORDS:
        raise NotFound("There is no such kind of record.")


def _write(site: Site, sheet: Sheet) -> Any:
    first, more = forms.layout(sheet.concept)
    sent = form.Sent(flask.request.form.to_dict(flat=False))
    fields = forms.completed(sheet.concept, form.filled(RECORDS[sheet.concept], (*first, *more), sent, sheet.before))
    problems = RECORDS[sheet.concept].of(fields).problems()
    if problems:
        errors = dict(problem.partition(": ")[::2] for problem in reversed(problems))
        return _page(site, sheet, fields, errors), 400
    try:
        kept = _save(site, sheet, fields, sent.text("reason") or None)
    except StaleRecord as stale:
        return _overtaken(site, sheet, fields, stale)
    except (Invalid, RuleViolated) as refused:
        return _page(site, sheet, fields, dict.fromkeys(refused.expression or ("",), refused.text), refused), refused.status
    case = (kept.case or sheet.case).partition("/")[2]
    page = "console.plan-show" if sheet.concept in _ON_PLAN else "console.case-show"
    return flask.redirect(flask.url_for(page, id=case) if case else f"/records/{sheet.concept}/{kept.id}", 303)


def _save(site: Site, sheet: Sheet, fields: Fields, reason: str | None) -> records.Kept:
    desk = site.desk()
    if sheet.id is not None:
        return records.put(desk, sheet.concept, sheet.id, fields, expect=sheet.version, reason=reason)
    id = str(uuid4())
    plan, drafted = plan_in_hand(sheet.facts)
    if sheet.concept not in _JOINS or drafted.get("status") != "draft":
        return records.put(desk, sheet.concept, id, fields, expect=0, reason=reason)
    reference, name = f"{types_of(sheet.concept, fields)[0]}/{id}", _JOINS[sheet.concept]

    def together() -> list[tuple[str, str, Fields]]:
        now = records.read(site.repository, "plan", plan.partition("/")[2]).fields
        return [(sheet.concept, reference, fields), ("plan", plan, {**now, name: [*now.get(name, []), reference]})]

    records.put_together(desk, sheet.case, together, activity="plan-drafted", reason=reason)
    return records.read(site.repository, sheet.concept, id)


def _overtaken(site: Site, sheet: Sheet, mine: Fields, stale: StaleRecord) -> Any:
    """The form on the version that is there now: changes of others where this form has none, and what each wrote where both have."""
    assert sheet.id is not None
    past = history(site.repository, sheet.concept, sheet.id)
    theirs = records.read(site.repository, sheet.concept, sheet.id)
    names = site.names()
    merged, told = dict(mine), []
    for name in {*sheet.before, *mine, *theirs.fields}:
        base, ours, now = (fields.get(name) for fields in (sheet.before, mine, theirs.fields))
        if now in (base, ours):
            continue
        if ours == base:
            merged = {key: value for key, value in {**merged, name: now}.items() if value is not None}
        told.append({"name": label(name), "before": _said(base), "now": _said(now), "yours": _said(ours) if ours != base else None})
    who = names.of(past[0].by) if past[0].by else "another system"
    meanwhile = {"who": who, "when": past[0].updated.isoformat(), "changes": sorted(told, key=lambda row: str(row["name"]))}
    after = Sheet(sheet.concept, sheet.id, theirs.version, theirs.fields, sheet.case, sheet.facts)
    return _page(site, after, merged, {}, stale, meanwhile), stale.status


def _said(value: Any) -> str:
    return plain(value) if value not in (None, "", [], {}) else "—"


def _page(
    site: Site, sheet: Sheet, values: Fields, errors: form.Errors, refused: CasebridgeError | None = None, meanwhile: Any = None
) -> str:
    record, (first, more) = RECORDS[sheet.concept], forms.layout(sheet.concept)
    known = choices(site, sheet.facts, sheet.id)
    asked = form.widgets(record, first, values, known, errors)
    rest = form.widgets(record, more, values, known, errors)
    placed = {path for each in (*asked, *rest) for path in _paths(each)}
    client = sheet.facts.of("client").get(values.get("client", ""), {})
    return flask.render_template(
        "form.html",
        sheet=sheet,
        title=f"{label(sheet.concept)}" if sheet.id is None else headline(sheet.concept, sheet.before),
        client_name=full_name(client) if client else "",
        first=asked,
        more=rest,
        unfold=any(each.error or any(path in errors for path in _paths(each)) for each in rest),
        wrong=[(path, text) for path, text in errors.items() if path not in placed],
        errors=[(path, text) for path, text in errors.items() if path in placed],
        refused=refused,
        meanwhile=meanwhile,
        ids={path: each.id for widget in (*asked, *rest) for path, each in _paths(widget).items()},
    )


def _paths(widget: form.Widget) -> dict[str, form.Widget]:
    found = {widget.name: widget}
    for part in widget.parts:
        found |= _paths(part)
    return found
