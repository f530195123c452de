"""The other FHIR servers: in what state each is, a plan before anything is sent, certificates, and conflicts side by side."""

from typing import Any

import flask

from adapter.fhir.resource import dumps
from adapter.sync.certificates.certificate import COLUMNS
from adapter.sync.certificates.kept import waiting
from adapter.sync.certificates.page import page, verdict
from adapter.sync.plan import ACTIONS
from server.console.names import Names
from server.console.shown import moment
from server.console.site import Site


def show(site: Site) -> Any:
    """All remotes, with the last certificate of each and what waits for a person."""
    site.desk()
    bridge = site.bridge
    rows = []
    for remote in bridge.remotes.all():
        last = next(iter(bridge.certificates.all(remote.name)), None)
        rows.append(
            {
                "name": remote.name,
                "url": remote.url,
                "sandbox": remote.sandbox,
                "ended": last[1]["ended"] if last else None,
                "holds": last[1]["holds"] if last else None,
                "verdict": verdict(last[1]) if last else "There was no sync yet.",
                "waiting": waiting(last[1]) if last else 0,
                "conflicts": sum(1 for _ in bridge.conflicts.all(remote.name)),
            }
        )
    return flask.render_template("connections.html", remotes=rows, questions=sum(1 for _ in bridge.people.questions.all()))


def remote(site: Site, name: str) -> Any:
    """One remote: its plan, if one was made, and its last certificates."""
    site.desk()
    found = site.bridge.remotes.get(name)
    kept = site.bridge.certificates.all(name)[:10]
    return flask.render_template(
        "connection.html",
        remote=found,
        rehearsal=site.rehearsals.of(name),
        certificates=[{"id": id, "verdict": verdict(body), **body} for id, body in kept],
        conflicts=sum(1 for _ in site.bridge.conflicts.all(name)),
        told=_told,
        actions=[action for action in ACTIONS if action != "unchanged"],
        columns=COLUMNS,
    )


def plan(site: Site, name: str) -> Any:
    """Begin to make a plan; nothing is sent or stored by it."""
    site.desk()
    site.rehearsals.plan(name)
    return flask.redirect(flask.url_for("console.connections-remote", name=name), 303)


def apply(site: Site, name: str) -> Any:
    """Begin to carry out the plan that was shown."""
    site.desk()
    site.rehearsals.apply(name)
    return flask.redirect(flask.url_for("console.connections-remote", name=name), 303)


def certificate(site: Site, name: str) -> Any:
    """A certificate as the page that can be filed: one of the remote's, by `id`, else its last."""
    site.desk()
    id, body = site.bridge.certificates.get(flask.request.args.get("id", name))
    response = flask.Response(page(id, body), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    return response


def conflicts(site: Site) -> Any:
    """What waits for a decision, each element with what it was, ours and theirs."""
    site.desk()
    names = site.names()
    found = [_conflict(id, body, names) for id, body in site.bridge.conflicts.all(flask.request.args.get("remote"))]
    return flask.render_template(
        "conflicts.html", conflicts=sorted(found, key=lambda each: each["opened"]), remote=flask.request.args.get("remote")
    )


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
    desk = site.desk()
    winners = {name.removeprefix("path:"): value for name, value in flask.request.form.items() if name.startswith("path:") and value}
    if rest := flask.request.form.get("all"):
        winners = {"*": rest}
    site.bridge.conflicts.resolve(id, winners, by=site.names().of(desk.actor.reference))
    return flask.redirect(flask.url_for("console.connections-conflicts"), 303)
