"""The case API, whole: what is answered to which method and path under /api."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import flask

from adapter.cases.record import Judged
from adapter.cases.registry import RECORDS
from server.api import asked, collections, glass, instruments, insurance, planning, process, referrals, told, transitions, views
from server.api.asked import Nothing
from server.api.calls import ACTOR, REQUEST
from server.api.paths import path_of

Handler = Callable[..., flask.Response]


@dataclass(frozen=True)
class Route:
    """What answers a method and path; `<id>` in the path is given to the handler by its name."""

    method: str
    path: str
    name: str
    """What logs and metrics call it, with the concept that it is about."""
    concept: str
    handler: Handler
    query: type[Judged] = Nothing
    body: type[Judged] | None = None
    status: int = 200
    answer: type[Any] | None = None
    """The record or group that is answered; None for nothing, or for what no class of ours describes."""
    many: bool = False
    """Whether it is a page of them."""
    kept: bool = False
    """Whether a record is answered with its id and what the server says about it."""
    headers: tuple[str, ...] = ()
    """Those that it heeds."""

    @property
    def summary(self) -> str:
        """What it does, in a line."""
        handler = self.handler.func if isinstance(self.handler, partial) else self.handler
        return (handler.__doc__ or "").partition("\n")[0]


def _collection(concept: str) -> Iterator[Route]:
    record, path = RECORDS[concept], f"/{path_of(concept)}"
    rows: tuple[tuple[str, str, str, Handler, dict[str, Any]], ...] = (
        ("GET", "", "list", collections.listed, {"query": asked.list_query(concept), "answer": record, "many": True}),
        ("POST", "", "create", collections.create, {"body": record, "status": 201, "answer": record, "headers": (ACTOR, REQUEST)}),
        ("GET", "/<id>", "read", collections.one, {"answer": record}),
        ("PUT", "/<id>", "replace", collections.replace, {"body": record, "answer": record, "headers": _CHANGES}),
        ("DELETE", "/<id>", "delete", collections.delete, {"status": 204, "headers": (ACTOR, "If-Match")}),
        ("GET", "/<id>/history", "history", collections.history, {"answer": record, "many": True}),
    )
    for method, rest, name, handler, more in rows:
        if (concept, name) not in _NONE:
            yield Route(method, path + rest, name, concept, partial(handler, concept=concept), kept=True, **more)


COLLECTION = ("list", "create", "read", "replace", "delete", "history")
"""The names of the routes that every concept has."""
# A case is not deleted: it is entered in error, by a transition of a supervisor's (TR-24).
_NONE = frozenset({("case", "delete")})
_CHANGES = (ACTOR, "If-Match", "If-None-Match")
_CASE: dict[str, Any] = {"answer": RECORDS["case"], "kept": True, "headers": (ACTOR,)}
_ONCE: dict[str, Any] = _CASE | {"headers": (ACTOR, REQUEST)}

_PROCESS: tuple[Route, ...] = (
    Route("GET", "/cases/<id>/transitions", "transitions", "case", process.possible, answer=told.Way, many=True),
    Route("POST", "/cases/<id>/transitions", "transit", "case", process.transit, body=asked.TransitionRequest, **_ONCE),
    Route("POST", "/cases/<id>/assignment", "assign", "case", process.assign, body=asked.Assignment, **_CASE),
    Route("POST", "/cases/<id>/models", "follow", "case", process.follow, body=asked.Following, **_CASE),
    Route("POST", "/cases/<id>/uptake", "take-up", "case", process.take_up, body=asked.Reasoned, **_CASE),
    Route("GET", "/cases/<id>/alerts", "alerts", "case", process.alerts, answer=told.Alert, many=True),
)

_PLAN: dict[str, Any] = {"answer": RECORDS["plan"], "kept": True, "headers": (ACTOR,)}
_ADJUST: dict[str, Any] = _PLAN | {"headers": (ACTOR, REQUEST)}
_SERVICE: dict[str, Any] = {"answer": RECORDS["planned_service"], "kept": True, "headers": (ACTOR,)}
_BOOKED: dict[str, Any] = {"answer": RECORDS["appointment"], "kept": True, "many": True, "headers": (ACTOR,)}

_PLANNING: tuple[Route, ...] = (
    Route("GET", "/plans/<id>/options", "options", "plan", planning.options, answer=told.Compared, many=True),
    Route("POST", "/plans/<id>/options/presentation", "present", "plan", planning.present, **_PLAN),
    Route("POST", "/plans/<id>/options/choice", "choose", "plan", planning.choose, body=asked.Choosing, **_PLAN),
    Route("POST", "/plans/<id>/acceptance", "answer", "plan", planning.answer, body=asked.Acceptance, **_PLAN),
    Route("POST", "/plans/<id>/adjustments", "propose", "plan", planning.propose, body=asked.Adjustment, **_ADJUST),
    Route("POST", "/plans/<id>/adjustments/acceptance", "accept", "plan", planning.accept, body=asked.AdjustmentAnswer, **_ADJUST),
    Route("POST", "/plans/<id>/adjustments/application", "carry-out", "plan", planning.carry_out, body=asked.Adjusted, **_ADJUST),
    Route("POST", "/plans/<id>/adjustments/redraft", "redraft", "plan", planning.redraft, body=asked.Adjusted, status=201, **_PLAN),
    Route("POST", "/planned-services/<id>/necessity", "decide", "planned_service", planning.decide, body=asked.Determination, **_SERVICE),
    Route("POST", "/planned-services/<id>/status", "move", "planned_service", planning.move, body=asked.ServiceStatus, **_SERVICE),
    Route("POST", "/planned-services/<id>/sessions", "schedule", "planned_service", planning.schedule, body=asked.Sessions, **_BOOKED),
)

_ASKED: dict[str, Any] = {"kept": True, "status": 201, "headers": (ACTOR,)}
_QUESTION: dict[str, Any] = {"answer": RECORDS["eligibility_request"], **_ASKED}
_WAITS: dict[str, Any] = {"answer": RECORDS["authorisation"], **_ASKED}
_AUTHORISATION: dict[str, Any] = _WAITS | {"status": 200}
_WORD: dict[str, Any] = {"answer": RECORDS["eligibility_response"], "kept": True, "headers": (ACTOR,)}

_INSURANCE: tuple[Route, ...] = (
    Route("GET", "/cases/<id>/insurance", "insurance", "case", insurance.standing, answer=told.Insurance),
    Route(
        "POST",
        "/planned-services/<id>/eligibility",
        "ask-eligibility",
        "planned_service",
        insurance.ask_eligibility,
        body=asked.Eligibility,
        **_QUESTION,
    ),
    Route(
        "POST", "/plans/<id>/eligibility", "ask-eligibility", "plan", insurance.ask_eligibility_of_plan, body=asked.Eligibility, **_QUESTION
    ),
    Route(
        "POST",
        "/eligibility-requests/<id>/answer",
        "answer",
        "eligibility_request",
        insurance.answer_eligibility,
        body=asked.EligibilityAnswer,
        **_WORD,
    ),
    Route(
        "POST",
        "/planned-services/<id>/authorisation",
        "ask-authorisation",
        "planned_service",
        insurance.ask_authorisation,
        body=asked.AuthorisationRequest,
        **_WAITS,
    ),
    Route(
        "POST",
        "/authorisations/<id>/answer",
        "answer",
        "authorisation",
        insurance.answer_authorisation,
        body=asked.AuthorisationAnswer,
        **_AUTHORISATION,
    ),
    Route("POST", "/authorisations/<id>/appeal", "appeal", "authorisation", insurance.appeal, body=asked.Appeal, **_WAITS),
    Route(
        "POST", "/authorisations/<id>/withdrawal", "withdraw", "authorisation", insurance.withdraw, body=asked.Reasoned, **_AUTHORISATION
    ),
)

_TASK: dict[str, Any] = {"answer": RECORDS["task"], "kept": True, "headers": (ACTOR,)}
_MOVE: dict[str, Any] = {"answer": RECORDS["transition_plan"], "kept": True, "headers": (ACTOR,)}

_HANDING_ON: tuple[Route, ...] = (
    Route("GET", "/cases/<id>/referrals", "referrals", "case", referrals.listed, answer=told.ReferralRow, many=True),
    Route("GET", "/planned-services/<id>/candidates", "candidates", "planned_service", referrals.candidates, answer=told.Found, many=True),
    Route(
        "POST", "/planned-services/<id>/referral", "refer", "planned_service", referrals.refer, body=asked.Referring, status=201, **_TASK
    ),
    Route("POST", "/tasks/<id>/sending", "send", "task", referrals.send, **_TASK),
    Route("POST", "/tasks/<id>/answer", "answer", "task", referrals.answer, body=asked.ReferralAnswer, **_TASK),
    Route("POST", "/tasks/<id>/cancellation", "cancel", "task", referrals.cancel, body=asked.Withdrawal, **_TASK),
    Route("POST", "/transition-plans/<id>/preparation", "prepare", "transition_plan", transitions.prepare, **_MOVE),
    Route("POST", "/transition-plans/<id>/sending", "send", "transition_plan", transitions.send, body=asked.Handover, **_MOVE),
    Route("POST", "/transition-plans/<id>/answer", "answer", "transition_plan", transitions.answer, body=asked.HandoverAnswer, **_MOVE),
    Route("GET", "/transition-plans/<id>/document", "document", "transition_plan", transitions.document),
)

_FOUND: dict[str, Any] = {"answer": RECORDS["condition"], "kept": True, "status": 201, "headers": (ACTOR,)}

_INSTRUMENTS: tuple[Route, ...] = (
    Route("GET", "/instruments", "instruments", "screening", instruments.listed, answer=told.Instrument, many=True),
    Route("GET", "/instruments/<id>", "instrument", "screening", instruments.form),
    Route("POST", "/screenings/preview", "preview", "screening", instruments.preview, body=asked.Preview, answer=told.Scored),
    Route("GET", "/screenings/<id>/findings", "findings", "screening", instruments.waiting, answer=told.Finding, many=True),
    Route("POST", "/screenings/<id>/findings/<finding>", "decide", "screening", instruments.decide, body=asked.FindingAnswer, **_FOUND),
    Route("GET", "/cases/<id>/risk-proposal", "weigh", "case", instruments.weigh, answer=told.RiskProposal),
    Route("GET", "/clients/<id>/proposal", "proposal", "client", instruments.propose, query=asked.ProposalQuery, answer=told.Proposal),
)

_VIEWS: tuple[Route, ...] = (
    Route("GET", "/cases/<id>/timeline", "timeline", "case", views.timeline, answer=told.TimelineItem, many=True),
    Route("GET", "/cases/<id>/summary", "summary", "case", views.summary, answer=told.Summary),
    Route("GET", "/cases/<id>/outcome-proposal", "review", "case", views.outcome),
    Route("GET", "/case-managers/<id>/caseload", "caseload", "case_manager", views.caseload, answer=told.CaseRow, many=True),
    Route("GET", "/case-managers/<id>/credentials", "credentials", "case_manager", views.credentials, answer=told.Credentials),
    Route("GET", "/worklists/<kind>", "worklist", "task", views.work, query=asked.Whose, answer=told.WorkRow, many=True, headers=(ACTOR,)),
    Route("GET", "/directory", "directory", "stakeholder", views.directory, query=asked.DirectoryQuery, answer=told.Found, many=True),
    Route("GET", "/cases/<id>/trace", "trace", "case", views.trace, query=asked.TraceQuery),
    Route("GET", "/measures", "measures", "outcome", views.measures, answer=told.Measure, many=True),
    Route("GET", "/measures/<id>", "measure", "outcome", views.measure, query=asked.MeasureQuery),
)


_BROKEN: dict[str, Any] = {"answer": told.Broken, "headers": (ACTOR,)}

_GLASS: tuple[Route, ...] = (
    Route("POST", "/glass", "break-glass", "client", glass.break_, body=asked.BreakGlass, status=201, **_BROKEN),
    Route("GET", "/glass", "broken-glass", "client", glass.listed, many=True, **_BROKEN),
    Route("POST", "/glass/<id>/end", "mend-glass", "client", glass.end, **_BROKEN),
)


@cache
def routes() -> tuple[Route, ...]:
    """All of them: those of each concept, of the process, of instruments and plans, the views across records, and the glass."""
    own = _PROCESS + _INSTRUMENTS + _PLANNING + _INSURANCE + _HANDING_ON + _VIEWS + _GLASS
    return tuple(route for concept in RECORDS for route in _collection(concept)) + own


def named(method: str, path: str) -> tuple[str, str] | None:
    """The name and concept of the route that answers this method and path below /api; None where none does."""
    before, *parts = path.split("/")
    for places in _PLACES if not before and all(parts) else ():
        shape = "/".join("<>" if at in places else part for at, part in enumerate(parts))
        if (method, shape) in _shapes():
            return _shapes()[method, shape]
    return None


# Where a path can have something else than a word of ours: an id, and of something within it another.
_PLACES: tuple[tuple[int, ...], ...] = ((), (1,), (1, 3))


@cache
def _shapes() -> dict[tuple[str, str], tuple[str, str]]:
    return {(route.method, re.sub("<[a-z]+>", "<>", route.path[1:])): (route.name, route.concept) for route in routes()}
