"""The console's pages, all on one screen: path, methods, and the function that answers."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from adapter.errors import CasebridgeError
from adapter.store.repository import Repository
from server import errors
from server.console import (
    adjustments,
    case,
    connections,
    edit,
    insurance,
    people,
    plan,
    plan_template,
    questions,
    record,
    refer,
    referrals,
    screening,
    sessions,
    shown,
    sign_in,
    transitions,
    why,
    worklist,
)
from server.console.site import Site
from server.console.visitor import NobodyYet, check_origin, named

Page = Callable[..., Any]

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", worklist.show),
    ("GET", "/team", worklist.team),
    ("POST", "/tasks/<id>/claim", worklist.claim),
    ("POST", "/tasks/<id>/complete", worklist.complete),
    ("GET", "/sign-in", sign_in.show),
    ("POST", "/sign-in", sign_in.choose),
    ("GET", "/people", people.find),
    ("GET", "/cases/new", case.new),
    ("POST", "/cases/new", case.open_),
    ("GET", "/cases/<id>", case.show),
    ("POST", "/cases/<id>/go", case.go),
    ("POST", "/cases/<id>/assign", case.assign),
    ("POST", "/cases/<id>/models", case.follow),
    ("POST", "/cases/<id>/findings/<screening>/<finding>", case.confirm),
    ("POST", "/cases/<id>/insurance", insurance.act),
    ("GET", "/cases/<id>/referrals/<service>", refer.choose),
    ("POST", "/cases/<id>/referrals", referrals.act),
    ("POST", "/cases/<id>/transition", transitions.act),
    ("GET", "/cases/<id>/timeline", case.timeline),
    ("GET", "/cases/<id>/why/<type>/<element>", why.show),
    ("GET", "/cases/<id>/plan", plan.show),
    ("POST", "/cases/<id>/plan/<plan>/answer", plan.answer),
    ("POST", "/cases/<id>/plan/<plan>/without", plan.leave_out),
    ("POST", "/cases/<id>/plan/<plan>/services", plan.arrange),
    ("POST", "/cases/<id>/plan/<plan>/options/shown", plan.present),
    ("POST", "/cases/<id>/plan/<plan>/options/choice", plan.choose),
    ("POST", "/cases/<id>/plan/<plan>/adjustments", adjustments.propose),
    ("POST", "/cases/<id>/plan/<plan>/adjustments/answer", adjustments.answer),
    ("GET", "/cases/<id>/plan/<plan>/adjustments/change", adjustments.show),
    ("POST", "/cases/<id>/plan/<plan>/adjustments/change", adjustments.carry_out),
    ("POST", "/cases/<id>/plan/<plan>/adjustments/redraft", adjustments.redraft),
    ("GET", "/cases/<id>/plan/templates", plan_template.choose),
    ("GET", "/cases/<id>/plan/templates/<name>", plan_template.preview),
    ("POST", "/cases/<id>/plan/templates/<name>", plan_template.bring),
    ("GET", "/cases/<id>/services/<service>/sessions", sessions.show),
    ("POST", "/cases/<id>/services/<service>/sessions", sessions.book),
    ("GET", "/cases/<id>/screening", screening.choose),
    ("GET", "/cases/<id>/screening/<instrument>", screening.show),
    ("POST", "/cases/<id>/screening/<instrument>", screening.save),
    ("POST", "/screening/<instrument>/score", screening.score),
    ("GET", "/records/<concept>/new", edit.new),
    ("POST", "/records/<concept>/new", edit.create),
    ("GET", "/records/<concept>/<id>", record.show),
    ("GET", "/records/<concept>/<id>/edit", edit.edit),
    ("POST", "/records/<concept>/<id>/edit", edit.change),
    ("GET", "/connections", connections.show),
    ("GET", "/connections/<name>", connections.remote),
    ("POST", "/connections/<name>/plan", connections.plan),
    ("POST", "/connections/<name>/apply", connections.apply),
    ("GET", "/connections/<name>/certificate", connections.certificate),
    ("GET", "/questions", questions.show),
    ("POST", "/questions/<id>", questions.answer),
    ("GET", "/conflicts", connections.conflicts),
    ("POST", "/conflicts/<path:id>", connections.resolve),
)

# Nothing is loaded from elsewhere, nothing runs that is not a file of ours, and no other page may hold one of these in a frame.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def install(app: flask.Flask, repository: Repository, plans: Path) -> None:
    """Give the application the console's pages; `plans` is the folder in which plans wait until they are carried out."""
    console = flask.Blueprint("console", __name__, template_folder="templates", static_folder="static", static_url_path="/console")
    site = Site(repository, repository.clock, plans)
    for method, rule, page in PAGES:
        console.add_url_rule(rule, f"{page.__module__.rpartition('.')[2]}-{page.__name__}", partial(page, site), methods=[method])
    console.before_request(_before)
    console.context_processor(partial(_visitor, site))
    console.after_request(_after)
    console.register_error_handler(Exception, _failed)
    app.jinja_env.filters.update(shown.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(console)


def _before() -> None:
    if flask.request.method == "POST":
        check_origin()


def _visitor(site: Site) -> dict[str, Any]:
    """Who is at the console, for the head of every page."""
    reference = named()
    return {"visitor_name": site.names().of(reference) if reference else None}


def _after(response: flask.Response) -> flask.Response:
    response.headers.setdefault("Content-Security-Policy", _POLICY)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if flask.request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response


def _failed(error: Exception) -> Any:
    """A page that says what went wrong and what to do; nobody signed in yet is sent to say who they are."""
    if isinstance(error, NobodyYet):
        return flask.redirect(flask.url_for("console.sign_in-show", to=flask.request.full_path.rstrip("?")))
    found = errors.of_http(error) if isinstance(error, HTTPException) else errors.named(error)
    if flask.request.accept_mimetypes.best == "application/json":
        return flask.Response(errors.as_problem(found), found.status, content_type=errors.PROBLEM_JSON)
    return flask.render_template("error.html", error=found, allowed=_allowed(found)), found.status


def _allowed(error: CasebridgeError) -> list[str]:
    return [*getattr(error, "allowed", ())]
