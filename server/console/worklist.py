"""The first page: what is to be done, most pressing first, and the visitor's cases."""

from typing import Any

import flask

from adapter.casework.facts import open_cases
from server.console.site import Site


def show(site: Site) -> Any:
    """The visitor's caseload."""
    desk, names = site.desk(), site.names()
    cases = [
        {"id": reference.partition("/")[2], **fields} for reference, fields in open_cases(desk.repository, desk.actor.reference).items()
    ]
    cases.sort(key=lambda each: (-each.get("priority_score", 0), each.get("opened_at", ""), each.get("case_number", "")))
    return flask.render_template("worklist.html", cases=cases, names=names)
