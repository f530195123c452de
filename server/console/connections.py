"""The other FHIR servers: in what state each is, a plan before anything is sent, certificates, and conflicts side by side."""

from contextlib import suppress
from functools import partial
from typing import Any

import flask

from adapter.errors import Forbidden, NotFound
from adapter.fhir.resource import dumps
from adapter.sync.certificates.certificate import COLUMNS
from adapter.sync.certificates.page import page, verdict
from adapter.sync.plan import ACTIONS, Entry
from server.console import questions
from server.console.names import Names
from server.console.rehearsals import Rehearsal
from server.console.shown import moment
from server.console.site import Site


def show(site: Site) -> Any:
    """All remotes, with the last certificate of each, for who looks after them; and what waits for a person."""
    bridge = site.bridge
    rows, leads = [], _leads(site)
    for remote in bridge.remotes.all() if leads else ():
        last = next(iter(bridge.certificates.all(remote.name)), None)
        rows.append(
            {
                "name": remote.name,
                "url": remote.url,
                "sandbox": remote.sandbox,
                "ended": last[1]["ended"] if last else None,
                "holds": last[1]["holds"] if last else None,
                "verdict": verdict(last[1]) if last else "There was no sync yet.",
                "conflicts": len(_waiting(site, remote.name)),
            }
        )
    return flask.render_template("connections.html", remotes=rows, leads=leads, questions=len(questions.waiting(site)))


def remote(site: Site, name: str) -> Any:
    """One remote: its plan, if one was made, and its last certificates."""
    _supervised(site)
    found = site.bridge.remotes.get(name)
    kept = site.bridge.certificates.all(name)[:10]
    return flask.render_template(
        "connection.html",
        remote=found,
        rehearsal=site.rehearsals.of(name),
        # Asked for when the page comes to it: the plan may be made meanwhile.
        shown=partial(_shown, site),
        certificates=[{"id": id, "verdict": verdict(body), **body} for id, body in kept],
        conflicts=len(_waiting(site, name)),
        told=_told,
        actions=[action for action in ACTIONS if action != "unchanged"],
        columns=COLUMNS,
    )


def _shown(site: Site, rehearsal: Rehearsal) -> list[Entry]:
    """The first entries of a plan that are about what the visitor sees."""
    seen = site.seen(entry.reference for entry in rehearsal.shown)
    return [entry for entry in rehearsal.shown if entry.reference in seen]


def _leads(site: Site) -> bool:
    """Whether the visitor sees all that a sync is about, or leads those who do."""
    return site.desk().actor.supervisor or not site.repository.sight


def _supervised(site: Site) -> None:
    """Raise Forbidden for all others."""
    if not _leads(site):
        raise Forbidden("Syncs are about everybody's record: a supervisor looks after them here, or `casebridge` does.")


def plan(site: Site, name: str) -> Any:
    """Begin to make a plan; nothing is sent or stored by it."""
    _supervised(site)
    site.rehearsals.plan(name)
    return flask.redirect(flask.url_for("console.connections-remote", name=name), 303)


def apply(site: Site, name: str) -> Any:
    """Begin to carry out the plan that was shown."""
    _supervised(site)
    site.rehearsals.apply(name, flask.request.form.get("plan", ""))
    return flask.redirect(flask.url_for("console.connections-remote", name=name), 303)


def certificate(site: Site, name: str) -> Any:
    """A certificate as the page that can be filed: one of the remote's, by `id`, else its last."""
    _supervised(site)
    id, body = site.bridge.certificates.get(flask.request.args.get("id", name))
    response = flask.Response(page(id, body), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return response


def conflicts(site: Site) -> Any:
    """What waits for a decision, each element with what it was, ours and theirs."""
    site.desk()
    names = site.names()
    found = [_conflict(id, body, names) for id, body in _waiting(site, flask.request.args.get("remote"))]
    return flask.render_template(
        "conflicts.html", conflicts=sorted(found, key=lambda each: each["opened"]), remote=flask.request.args.get("remote")
    )


def _waiting(site: Site, remote: str | None) -> list[tuple[str, dict[str, Any]]]:
    """The open conflicts, of one remote or of all, about what the visitor may decide about."""
    found = [*site.bridge.conflicts.all(remote)]
    theirs = site.changeable(body["reference"] for _, body in found)
    return [(id, body) for id, body in found if body["reference"] in theirs]


def _conflict(id: str, body: dict[str, Any], names: Names) -> dict[str, Any]:
    rows = [{**row, **{side: _told(row.get(side)) for side in ("base", "ours", "theirs")}} for row in body["rows"]]
    opened = body["opened"].isoformat(timespec="minutes") if hasattr(body["opened"], "isoformat") else str(body["opened"])
    since = {side: _since(body["told"].get(side, {}), names) for side in ("ours", "theirs")}
    return {**body, "id": id, "name": names.of(body["reference"]), "rows": rows, "opened": opened, "since": since}


def _since(said: dict[str, Any], names: Names) -> str:
    """When a side came to be as it is, and by whom, as far as that is known."""
    who = f"by {names.of(said['by'])}" if "by" in said else ""
    return ", ".join(part for part in (moment(said.get("at", "")), who) if part)


def _told(value: Any) -> str:
    """An element's value as text; what is not there is said so."""
    if value is None or value == "":
        return "—"
    return value if isinstance(value, str) else dumps(value)


def resolve(site: Site, id: str) -> Any:
    """A person's decision: for each element, ours or theirs."""
    desk, conflicts = site.desk(), site.bridge.conflicts
    _check(site, id)
    winners = {name.removeprefix("path:"): value for name, value in flask.request.form.items() if name.startswith("path:") and value}
    if rest := flask.request.form.get("all"):
        winners = {"*": rest}
    conflicts.resolve(id, winners, by=site.names().of(desk.actor.reference))
    return flask.redirect(flask.url_for("console.connections-conflicts"), 303)


def _check(site: Site, id: str) -> None:
    """Raise NotFound where there is no such conflict, or it is not about what the visitor may decide about."""
    with suppress(NotFound):
        if site.changeable([site.bridge.conflicts.get(id)["reference"]]):
            return
    raise NotFound("There is no such conflict.")
