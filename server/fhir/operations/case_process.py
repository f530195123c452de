"""`EpisodeOfCare/$open`, `$transition`, `$assign`: a case's way through its process, asked by FHIR alone (docs/operations.md)."""

from adapter.casework import cases
from adapter.casework.desk import Desk, actor
from adapter.casework.records import Kept
from adapter.errors import Forbidden, Invalid
from adapter.mapping.case import STEP
from server.fhir.messages import Answer
from server.fhir.operations.call import Call


def open(call: Call) -> Answer:
    """The case in its first step. Raises what opening a case does: NotNow, RuleViolated, Invalid, NotFound, Gone."""
    return _told(call, cases.take_up(_desk(call), call.target, reason=call.inputs.one("reason")))


def transition(call: Call) -> Answer:
    """The case after the transition. Raises NotNow with the steps that are allowed, RuleViolated, NotResponsible, NotFound, Gone."""
    given = call.inputs
    step, way = given.one("to"), given.one("transition")
    if (step is None) == (way is None):
        raise Invalid("Either the parameter to or the parameter transition is needed.", expression=["to", "transition"])
    target = way if way is not None else STEP.decode(step)
    desk = _desk(call)
    return _told(call, cases.transit(desk, call.target, target, reason=given.one("reason"), request_id=given.one("requestId")))


def assign(call: Call) -> Answer:
    """The case with its new primary case manager. Raises NotNow with those who have room, Forbidden, RuleViolated, NotFound, Gone."""
    manager = _reference(call, "caseManager")
    return _told(call, cases.assign(_desk(call), call.target, manager, reason=call.inputs.one("reason")))


def _desk(call: Call) -> Desk:
    who, known = _reference(call, "by"), call.request.acts_as
    if known not in (None, who):
        raise Forbidden("The parameter by names another person than the token.", expression=["by"])
    return Desk(call.repository, actor(call.repository, who), call.repository.clock)


def _reference(call: Call, name: str) -> str:
    given = call.inputs.one(name)
    reference = given.get("reference") if isinstance(given, dict) else None
    if not isinstance(reference, str):
        raise Invalid(f"The parameter {name} is a reference, such as Practitioner/dana.", expression=[name])
    return reference.removeprefix(f"{call.request.base}/")


def _told(call: Call, case: Kept) -> Answer:
    return Answer.of(call.repository.row("EpisodeOfCare", case.id))
