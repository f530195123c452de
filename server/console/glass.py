"""Breaking the glass on pages: asking to see somebody who is not among one's cases, what is broken now, and what ever was."""

from typing import Any

import flask

from adapter.access.glass import LONGEST, SHORTEST
from adapter.casework import glass
from adapter.errors import CasebridgeError, Conflict, Invalid, NotFound, NotNow
from server.audit.access import looks_for
from server.console.people import cases_of
from server.console.site import Site
from server.console.visitor import named


def show(site: Site, refused: CasebridgeError | None = None) -> Any:
    """The form, and what the visitor has broken and what counts now."""
    desk = site.desk()
    held = [{"broken": each, "cases": cases_of(site, each.patient)} for each in glass.held(desk.repository, desk.actor.reference)]
    sight = desk.repository.sight
    minutes = sight.policy.glass if sight else 0
    form = flask.request.values
    asked = {"id": form.get("id", ""), "identifier": form.get("identifier", ""), "reason": form.get("reason", "")}
    told = {"shortest": SHORTEST, "longest": LONGEST, "minutes": minutes}
    return flask.render_template("glass.html", held=held, refused=refused, names=site.names(), **asked, **told)


def break_(site: Site) -> Any:
    """The glass broken, and on to what is broken now; the form again with what is wrong."""
    form = {name: value.strip() for name, value in flask.request.form.items()}
    id, identifier = form.get("id") or None, ("", form["identifier"]) if form.get("identifier") else None
    looks_for(flask.request.path, identifier=form.get("identifier", ""), id=id or "")
    try:
        if (id is None) == (identifier is None):
            raise Invalid("Say whom you must see: by a number that they have, or by the id of their record.", expression=["identifier"])
        glass.break_glass(site.desk(), form.get("reason", ""), id=id, identifier=identifier)
    except (Conflict, Invalid, NotFound, NotNow) as refused:
        return show(site, refused), refused.status
    return flask.redirect(flask.url_for("console.glass-show"), 303)


def end(site: Site, id: str) -> Any:
    """One ended before its time, and back to the page that asked for it."""
    glass.end(site.desk(), id)
    return flask.redirect(
        flask.url_for("console.glass-broken" if flask.request.form.get("back") == "broken" else "console.glass-show"), 303
    )


def broken(site: Site) -> Any:
    """What was ever broken, by the visitor and those whom they lead, or by anybody where they audit."""
    found = glass.broken(site.repository, named())
    sight = site.repository.sight
    ends = sight.viewer.ties if sight else frozenset()
    return flask.render_template("glass_broken.html", rows=found, now=site.clock(), ends=ends, names=site.names())
