"""Questions about people: whether two that look alike are one, each fact of both side by side."""

from typing import Any

import flask

from adapter.sync.people.identity import compare
from server.console.names import full_name
from server.console.site import Site


def show(site: Site) -> Any:
    """All that wait for an answer."""
    site.desk()
    bridge = site.bridge
    trust = [*dict.fromkeys(system for remote in bridge.remotes.all() for system in remote.trust)]
    found = []
    for id, question in bridge.people.questions.all():
        sides = [site.repository.find(*reference.split("/")) for reference in (question["here"], question["other"])]
        raws = [side.raw if side and not side.deleted else {"resourceType": question["here"].partition("/")[0]} for side in sides]
        names = [full_name(side.record) if side and not side.deleted else "No longer here" for side in sides]
        found.append({"id": id, "why": question["why"], "names": names, "points": compare(raws[0], raws[1], trust).points, **question})
    return flask.render_template("questions.html", questions=found)


def answer(site: Site, id: str) -> Any:
    """A person's answer: they are one, and the one that came later gives way; or they are two."""
    desk = site.desk()
    people, by = site.bridge.people, site.names().of(desk.actor.reference)
    if flask.request.form.get("answer") == "same":
        question = people.questions.get(id)
        people.link(question["here"], question["other"], by=by)
    else:
        people.questions.answer(id, "different", by=by)
    return flask.redirect(flask.url_for("console.questions-show"), 303)
