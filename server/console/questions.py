"""Questions about people: whether two that look alike are one, each fact of both side by side."""

from typing import Any

import flask

from adapter.access.whose import PATIENT
from adapter.casework.desk import Desk
from adapter.errors import Forbidden, NotFound
from adapter.sync.people.identity import compare
from server.audit.access import tells
from server.console.form import answer_of
from server.console.names import full_name
from server.console.site import Site


def show(site: Site) -> Any:
    """All that wait for an answer."""
    desk = site.desk()
    bridge = site.bridge
    trust = [*dict.fromkeys(system for remote in bridge.remotes.all() for system in remote.trust)]
    found = []
    for id, question in waiting(site):
        sides = [site.repository.find(*reference.split("/")) for reference in (question["here"], question["other"])]
        raws = [side.raw if side and not side.deleted else {"resourceType": question["here"].partition("/")[0]} for side in sides]
        names = [full_name(side.record) if side and not side.deleted else "No longer here" for side in sides]
        points, links = compare(raws[0], raws[1], trust).points, _links(site, desk, question)
        found.append({"id": id, "why": question["why"], "names": names, "points": points, "links": links, **question})
    return flask.render_template("questions.html", questions=found)


def waiting(site: Site) -> list[tuple[str, dict[str, Any]]]:
    """Those about people both of whom the visitor may decide about."""
    return [(id, question) for id, question in site.bridge.people.questions.all() if _theirs(site, question)]


def _theirs(site: Site, question: dict[str, Any]) -> bool:
    both = {question["here"], question["other"]}
    return both <= site.changeable(both)


def _links(site: Site, desk: Desk, question: dict[str, Any]) -> bool:
    """Whether the visitor may say that the two are one. All that refers to one of them then refers to the other: where that are
    organisations, it says who leads whom."""
    return site.repository.sight is None or (desk.actor.supervisor and question["here"].startswith(f"{PATIENT}/"))


def answer(site: Site, id: str) -> Any:
    """A person's answer: they are one, and the one that came later gives way; or they are two."""
    desk = site.desk()
    people, by = site.bridge.people, site.names().of(desk.actor.reference)
    question = people.questions.find(id)
    if question is None or not _theirs(site, question):
        raise NotFound("There is no such question.")
    tells([question["here"], question["other"]])
    if answer_of(flask.request.form, "answer", "same", "different") == "same":
        if not _links(site, desk, question):
            raise Forbidden("That two clients are one is said by a supervisor here; of all others, `casebridge people link` says it.")
        people.link(question["here"], question["other"], by=by)
    else:
        people.questions.answer(id, "different", by=by)
    return flask.redirect(flask.url_for("console.questions-show"), 303)
