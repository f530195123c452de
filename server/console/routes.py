"""The console's pages, all on one screen: path, methods, and the function that answers."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import flask
from werkzeug.exceptions import HTTPException

from adapter.casework.glass import held
from adapter.errors import CasebridgeError, Throttled
from adapter.store.repository import Repository
from adapter.store.sight import Sight
from server import errors
from server.console import (
    account,
    adjustments,
    case,
    connections,
    disclosures,
    edit,
    glass,
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
from server.console.own import check_path
from server.console.site import Site
from server.console.visitor import NobodyYet, check_origin, named, pages
from server.limits import throttled

Page = Callable[..., Any]

PAGES: tuple[tuple[str, str, Page], ...] = (
    ("GET", "/", worklist.show),
    ("GET", "/team", worklist.team),
    ("POST", "/tasks/<id>/claim", worklist.claim),
    ("POST", "/tasks/<id>/complete", worklist.complete),
    ("GET", "/sign-in", sign_in.show),
    ("POST", "/sign-in", sign_in.choose),
    ("GET", "/people", people.find),
    ("POST", "/people", people.find),
    ("GET", "/glass", glass.show),
    ("POST", "/glass", glass.break_),
    ("GET", "/glass/broken", glass.broken),
    ("POST", "/glass/<id>/end", glass.end),
    ("GET", "/disclosures", disclosures.ask),
    ("POST", "/disclosures", disclosures.find),
    ("GET", "/disclosures/<id>", disclosures.show),
    ("GET", "/disclosures/<id>/csv", disclosures.csv),
    ("GET", "/disclosures/<id>/page", disclosures.page),
    ("GET", "/account", account.show),
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

NAVIGATION = (
    ("console.worklist-show", "Worklist"),
    ("console.people-find", "People"),
    ("console.connections-show", "Connections"),
    ("console.connections-conflicts", "Conflicts"),
)
"""Where the head of each page leads who works on cases."""
ACCOUNT = (("console.disclosures-ask", "Disclosures"), ("console.account-show", "Accesses"), ("console.glass-broken", "Broken glasses"))
"""Where it leads who reads the account of accesses, as far as their role sees these."""

# Nothing is loaded from elsewhere, nothing runs that is not a file of ours, and no other page may hold one of these in a frame.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def install(app: flask.Flask, repository: Repository, plans: Path) -> None:
    """Give the application the console's pages; `plans` is the folder in which plans wait until they are carried out."""
    console = flask.Blueprint("console", __name__, template_folder="templates", static_folder="static", static_url_path="/console")
    site = Site(repository, repository.clock, plans)
    # A page that two methods lead to is one endpoint.
    views = {page: partial(page, site) for _, _, page in PAGES}
    for method, rule, page in PAGES:
        console.add_url_rule(rule, f"{page.__module__.rpartition('.')[2]}-{page.__name__}", views[page], methods=[method])
    console.before_request(partial(_before, site))
    console.context_processor(partial(_visitor, site))
    console.after_request(_after)
    console.register_error_handler(Exception, _failed)
    console.register_error_handler(Throttled, throttled)
    app.jinja_env.filters.update(shown.FILTERS)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.register_blueprint(console)


def _before(site: Site) -> None:
    if flask.request.method == "POST":
        check_origin()
    check_path(site, flask.request.view_args or {})


def _visitor(site: Site) -> dict[str, Any]:
    """Who is at the console, where they may go, and whether they see but a part and have broken a glass, for the head of every page."""
    reference, own, principal = named(), pages(), flask.g.get("principal")
    names, repository = site.names(), site.repository
    told = [(names.of(each.patient), each) for each in held(repository, reference)] if reference else []
    return {
        "visitor_name": names.of(reference) if reference else principal and principal.user,
        "limited": repository.sight is not None,
        "glasses": told,
        "at_work": own is None,
        "navigation": [(flask.url_for(page), title) for page, title in _navigation(own, repository.sight)],
    }


def _navigation(own: tuple[str, ...] | None, sight: Sight | None) -> Iterable[tuple[str, str]]:
    """Endpoints and titles, for who sees the pages `own`, or all of them."""
    if own is not None:
        return (each for each in ACCOUNT if each[0] in own)
    return (*NAVIGATION, *(ACCOUNT if sight and sight.policy.audits else ()))


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
