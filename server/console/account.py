"""The account of accesses on a page: who did or tried what, the newest first, looked through by who, when and whether it was refused."""

from datetime import timedelta
from typing import Any

import flask

from adapter.casework import accesses
from adapter.errors import Invalid
from server.console.site import Site

_PAGE = 100
# So far back it reaches where nothing else is said: what is looked for in all of it may be all that there is.
_DAYS = timedelta(days=7)


def show(site: Site) -> Any:
    """A page of it, and the form that looks for other entries."""
    given = flask.request.args
    asked = {name: given.get(name, "").strip() for name in ("who", "as", "from", "to")}
    asked["from"] = asked["from"] if "from" in given else (site.clock() - _DAYS).date().isoformat()
    asked["as"], refused = asked["as"] or accesses.PERSON, "refused" in given
    problem: Invalid | None = None
    try:
        rows, rest = accesses.some(
            site.repository,
            asked["as"],
            asked["who"],
            asked["from"],
            asked["to"],
            refused=refused,
            cursor=given.get("after", ""),
            size=_PAGE,
        )
    except Invalid as error:
        problem, rows, rest = error, [], None
    kept: dict[str, Any] = {**asked, **({"refused": "on"} if refused else {})}
    more = flask.url_for("console.account-show", after=rest, **kept) if rest else None
    told = {"asked": asked, "refused": refused, "problem": problem, "ways": accesses.WAYS}
    page = flask.render_template("account.html", rows=rows, more=more, names=site.names(), **told)
    return (page, problem.status) if problem else page
