"""The process of a case: 14 states, 25 transitions (DOMAIN §3.3), as a table and pure functions over a case's fields."""

from dataclasses import dataclass

from adapter.cases.case import STEPS
from adapter.cases.eligibility import markers
from adapter.cases.facts import Facts, Situation, latest, moment
from adapter.cases.guards import violations
from adapter.cases.record import Fields
from adapter.errors import NotNow, NotResponsible, RuleViolated

PROCESS = STEPS[1:8]
"""The seven steps, in order."""

TERMINAL = frozenset({"closed", "not_eligible", "declined", "cancelled", "entered_in_error"})
HELD = "the step that was held"

STATUS_OF_STEP: dict[str, str] = {
    "referred": "planned",
    **dict.fromkeys(PROCESS, "active"),
    "closed": "finished",
    "on_hold": "onhold",
    "not_eligible": "cancelled",
    "declined": "cancelled",
    "cancelled": "cancelled",
    "entered_in_error": "entered_in_error",
}
"""EpisodeOfCare.status of each step. A referred case that waits for a place has status waitlist instead."""

PHASE_OF_STEP: dict[str, int] = dict(zip(PROCESS, (1, 1, 2, 3, 4, 5, 6), strict=True))
"""The six-phase view of the seven steps (DOMAIN §0.1, X1)."""

_ALL = frozenset(STEPS)
_PROCESS = frozenset(PROCESS)


@dataclass(frozen=True)
class Transition:
    """A way from some steps to another. `guards` are names in guards.GUARDS, all of which must hold."""

    id: str
    trigger: str
    sources: frozenset[str]
    target: str
    guards: tuple[str, ...] = ()


def _row(id: str, trigger: str, sources: str | frozenset[str], target: str, *guards: str) -> Transition:
    return Transition(id, trigger, frozenset({sources}) if isinstance(sources, str) else sources, target, guards)


PLAN_GUARDS = (
    *("V-08", "V-09", "V-10", "V-11 necessity", "V-11 authorisation", "V-12"),
    *("finances", "option", "accepted", "direct care", "model"),
)
"""What must hold of a plan that is put into force."""

TRANSITIONS: tuple[Transition, ...] = (
    _row("TR-01", "start", "referred", "screening", "start", "V-01", "V-02", "V-03", "V-04", "V-17"),
    _row("TR-02", "proceed", "screening", "assessment", "screened", "screened again"),
    _row("TR-03", "not eligible", "screening", "not_eligible", "reason", "not eligible", "no active plan"),
    _row("TR-04", "monitor", "screening", "screening", "re-screen"),
    _row("TR-05", "complete", "assessment", "risk_evaluation", "V-05", "assessed", "assessed again"),
    _row("TR-06", "finalise", "risk_evaluation", "planning", "risk", "V-19", "risk again"),
    _row("TR-07", "need more data", "risk_evaluation", "assessment", "reason"),
    _row("TR-08", "activate plan", "planning", "implementation", *PLAN_GUARDS, "planned again"),
    _row("TR-09", "new risk information", "planning", "risk_evaluation", "reason"),
    _row("TR-10", "first service or contact", "implementation", "follow_up", "under way", "V-11 authorisation"),
    _row("TR-11", "service impossible", "implementation", "planning", "reason"),
    _row("TR-12", "contact completed", "follow_up", "follow_up", "contact"),
    _row("TR-13", "ready to close", "follow_up", "outcome_evaluation", "ready to close", "heard again"),
    _row("TR-14", "re-plan, major", "follow_up", "planning", "major"),
    _row("TR-15", "re-plan, minor", "follow_up", "implementation", "minor", "adjusted again"),
    _row("TR-16", "re-stratify", "follow_up", "risk_evaluation", "reason", "risk moved"),
    _row("TR-17", "close", "outcome_evaluation", "closed", "V-14", "transition", "reviewed again", "responsible"),
    _row("TR-18", "objectives unmet, change possible", "outcome_evaluation", "planning", "reason"),
    _row("TR-19", "readmission window still open", "outcome_evaluation", "follow_up", "window"),
    _row("TR-20", "hold", _PROCESS, "on_hold", "reason"),
    _row("TR-20", "resume", "on_hold", HELD, "reason"),
    _row("TR-21", "client declines", frozenset(STEPS[:5]), "declined", "reason"),
    _row("TR-22", "administrative", _ALL - TERMINAL, "cancelled", "reason"),
    _row("TR-23", "reopen", "closed", "screening", "recent", "V-01", "V-02", "V-04"),
    _row("TR-24", "data error", _ALL - {"entered_in_error"}, "entered_in_error", "supervisor"),
    _row("TR-25", "death, transfer out, coverage end", _PROCESS - {"outcome_evaluation"}, "outcome_evaluation", "close reason"),
)

# The ways by which what is known of the client's complexity grows (C-05).
_SCREENING = ("TR-01", "TR-02", "TR-06")
_REFUSALS: dict[str, type[RuleViolated]] = {
    "caseload_exceeded": NotNow,
    "duplicate_case": NotNow,
    "model_forbids_direct_care": NotNow,
    "not_responsible": NotResponsible,
}
"""The rules of which the error is not RuleViolated, by code."""

# What the way itself says about why the case closed.
_CLOSE_REASON = {"not_eligible": "not_eligible", "declined": "client_declined"}


def allowed(step: str) -> list[str]:
    """The steps that a case may go to from `step`, in the order of the process; from on_hold any that may have been held."""
    targets = {row.target for row in TRANSITIONS if step in row.sources}
    if HELD in targets:
        targets |= _PROCESS
    return [target for target in STEPS if target in targets]


def way_to(case: Fields, target: str) -> str:
    """The transition that leads from the case's step to `target`. Raises NotNow where there is none, or more than one."""
    step = str(case.get("step"))
    resumed = held(case) if step == "on_hold" and target in _PROCESS else None
    rows = {row.id for row in TRANSITIONS if step in row.sources and (row.target == target or (row.target == HELD and target == resumed))}
    if len(rows) != 1:
        ways = f"by {', '.join(sorted(rows))}: say which" if rows else f"only to {', '.join(allowed(step)) or 'nothing'}"
        text = f"From {step} a case can go to {target} {ways}." if rows else f"From {step} a case can go {ways}."
        raise NotNow(text, code="transition_not_allowed", expression=["step"], allowed=sorted(rows) or allowed(step))
    return rows.pop()


def opened(fields: Fields, at: str) -> Fields:
    """A new case's fields with its first step, status and stretch of history; those that it has stay.

    Without a case manager it waits for a place.
    """
    step = fields.get("step", "referred")
    waits = step == "referred" and "case_manager" not in fields
    status = fields.get("status", "waitlist" if waits else STATUS_OF_STEP[step])
    start = fields.get("opened_at", at)
    # A day that contains the moment says less than the moment, and a stretch that ends on that day would not have a later end (per-1).
    since = at if at.startswith(start) else start
    history = fields.get("status_history", [{"step": step, "status": status, "period": {"start": since}}])
    return {**fields, "step": step, "status": status, "opened_at": start, "status_history": history}


def taken_up(case: Fields, at: str) -> Fields:
    """The fields of a case that no process led so far, in its first step; the history that it brings stays before ours."""
    new = opened({name: value for name, value in case.items() if name not in ("status", "status_history")}, at)
    past = case.get("status_history", [])
    if not past:
        return new
    ended = {**past[-1], "period": {"end": at, **past[-1]["period"]}}
    return {**new, "status_history": [*past[:-1], ended, {"step": new["step"], "status": new["status"], "period": {"start": at}}]}


def placed(case: Fields, at: str) -> Fields:
    """The fields of a case that somebody takes on: if it waited for a place, it does no longer."""
    if case.get("status") != "waitlist":
        return case
    step = case["step"]
    return {**case, "status": STATUS_OF_STEP[step], "status_history": _history(case, step, at, None)}


def advance(
    case: Fields, transition: str, facts: Facts, at: str, by: str, reason: str | None = None, request_id: str | None = None
) -> Fields:
    """The case's fields after the transition; `case` itself is not changed. The same `request_id` again gives the same fields back.

    `at` is a moment with its zone, after the start of the present stretch. Raises RuleViolated: `transition_not_allowed` where the table
    has no such way from the case's step, `request_reused`, `date_invalid`, or the code of the first guard that does not hold.
    """
    done = {request["id"]: request["transition"] for request in case.get("requests", [])}
    if request_id in done:
        if done[request_id] != transition:
            raise RuleViolated("This request id was used for another transition.", code="request_reused", expression=["requests"])
        return case
    row = _way(case, transition)
    now = Situation(case, facts, at, by, reason)
    missing = violations(row.guards, now)
    if missing:
        raise refusal(missing, f"{row.id} is not possible yet.")
    step = held(case) if row.target == HELD else row.target
    after = {**case, "step": step, "status": STATUS_OF_STEP[step], "status_history": _history(case, step, at, reason)}
    after.update(_consequences(row, step, now))
    if request_id is not None:
        after["requests"] = [*case.get("requests", []), {"id": request_id, "transition": row.id, "at": at, "by": by}]
    if step not in TERMINAL:
        after.pop("closed_at", None)
        if transition == "TR-23":
            after.pop("close_reason", None)
    return after


def refusal(missing: list[tuple[str, str]], what: str) -> RuleViolated:
    """The error for guards that do not hold (guards.violations): the kind and code of the first, the texts of all."""
    kind = _REFUSALS.get(missing[0][0], RuleViolated)
    return kind(" ".join([what, *(text for _, text in missing)]), code=missing[0][0])


def phase6(case: Fields) -> int | None:
    """The case's phase of six (DOMAIN §0.1, X1), while on hold that of the step that was held; None before and after the process."""
    step = case.get("step")
    return PHASE_OF_STEP.get(held(case) if step == "on_hold" else str(step))


def _way(case: Fields, transition: str) -> Transition:
    step = case.get("step")
    if step is None:
        raise RuleViolated("The case has no step: another system leads it.", code="transition_not_allowed", expression=["step"])
    rows = [row for row in TRANSITIONS if row.id == transition and step in row.sources]
    if not rows:
        ways = "; ".join(f"{row.id} to {row.target}" for row in TRANSITIONS if step in row.sources) or "nothing"
        text = f"From {step} a case can go by: {ways}."
        raise NotNow(text, code="transition_not_allowed", expression=["step"], allowed=allowed(step))
    return rows[0]


def openings(case: Fields) -> int:
    """How often the case was opened: once, and again by each TR-23."""
    past: list[Fields] = case.get("status_history", [])[:-1]
    return 1 + len([stretch for stretch in past if stretch.get("step") == "closed"])


def held(case: Fields) -> str:
    """The step that an `on_hold` case was held in. Raises RuleViolated where its history does not say."""
    steps = [stretch["step"] for stretch in case["status_history"] if stretch.get("step") in _PROCESS]
    if not steps:
        raise RuleViolated("The history does not say which step was held.", code="transition_not_allowed", expression=["status_history"])
    return str(steps[-1])


def _history(case: Fields, step: str, at: str, reason: str | None) -> list[Fields]:
    past = case.get("status_history", [])
    if past and moment(at) <= moment(past[-1]["period"]["start"]):
        raise RuleViolated("The transition is not after the one before.", code="date_invalid", expression=["status_history"])
    closed = [*past[:-1], {**past[-1], "period": {**past[-1]["period"], "end": at}}] if past else []
    stretch: Fields = {"step": step, "status": STATUS_OF_STEP[step], "period": {"start": at}}
    return [*closed, {**stretch, "reason": reason} if reason else stretch]


def _consequences(row: Transition, step: str, now: Situation) -> Fields:
    """What else of the case changes by going this way."""
    if step in TERMINAL:
        implied = {"close_reason": _CLOSE_REASON[step]} if step in _CLOSE_REASON else {}
        return {"closed_at": now.at, **implied}
    found: Fields = {}
    if row.id in _SCREENING and (shown := markers(now)):
        found["eligibility_markers"] = shown
    if row.id == "TR-06":
        risk = latest(now.facts.of("risk_evaluation"), "at")
        found |= {name: risk[name] for name in ("tier", "priority_score") if name in risk}
    if row.id == "TR-18":
        found["cycle"] = now.case.get("cycle", 1) + 1
    return found
