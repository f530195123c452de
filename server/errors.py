"""Every error of the server becomes an answer in one place: an OperationOutcome for FHIR callers, problem JSON (RFC 9457) for others."""

import logging
import traceback
import uuid
from collections.abc import Sequence
from http import HTTPStatus

from pymongo.errors import PyMongoError
from werkzeug import exceptions
from werkzeug.exceptions import HTTPException

from adapter.errors import (
    CasebridgeError,
    Forbidden,
    Invalid,
    NotFound,
    NotSupported,
    RuleViolated,
    StoreUnavailable,
    TooLarge,
    Unauthenticated,
    UnsupportedMedia,
)
from adapter.fhir.outcome import outcome
from adapter.fhir.resource import Raw, dumps
from adapter.log import event

PROBLEM_JSON = "application/problem+json"


class MethodNotAllowed(NotSupported):
    """The path is known and does not take this method."""

    status = 405

    def __init__(self, text: str, *, allowed: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.allowed = tuple(allowed)


class PreconditionRequired(Invalid):
    """A change does not say which version it was made against."""

    status = 428


class TokenWanted(Unauthenticated):
    """The caller brought no token, or one that is not good (`sent`). https://www.rfc-editor.org/rfc/rfc6750#section-3"""

    def __init__(self, text: str, *, sent: bool) -> None:
        super().__init__(text)
        self.challenge = 'Bearer realm="casebridge"' + (', error="invalid_token"' if sent else "")


class ProofRefused(Unauthenticated):
    """What an OpenID Provider says of a person is not taken. `reason` is a word for the log: the claim or the part that is wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__("What the OpenID Provider said is not taken.")
        self.reason = reason


class PortTaken(CasebridgeError):
    """The server cannot listen where it was told to."""

    exit_code = 2


class Unexpected(CasebridgeError):
    """A fault of ours; the text tells the number under which the log has it."""


_HTTP: dict[int, tuple[type[CasebridgeError], str]] = {
    403: (Forbidden, "This is not allowed."),
    404: (NotFound, "There is nothing at this path."),
    413: (TooLarge, "The body is larger than this server takes."),
    415: (UnsupportedMedia, "The body is in a format that is not spoken here."),
}


def of_http(error: HTTPException) -> CasebridgeError:
    """Our error for one of werkzeug's; never its own text, which can quote the request."""
    if isinstance(error, exceptions.MethodNotAllowed):
        return MethodNotAllowed("This path does not take this method.", allowed=sorted(error.valid_methods or ()))
    kind, text = _HTTP.get(error.code or 400, (Invalid, "The request is not one this server understands."))
    return kind(text)


def named(error: Exception) -> CasebridgeError:
    """The error with a name of ours. Any other is logged by kind and place, never with its text, under a number that the caller is told."""
    if isinstance(error, CasebridgeError):
        return error
    if isinstance(error, HTTPException):
        return of_http(error)
    if isinstance(error, RecursionError):
        # What is parsed may be nested deeper than Python can walk; no resource that means anything is.
        return Invalid("What was sent is nested too deep.")
    number = uuid.uuid4().hex
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-6:]))
    event("server.failed", level=logging.ERROR, number=number, kind=type(error).__name__, places=places)
    if isinstance(error, PyMongoError):
        return StoreUnavailable(f"The database did not do what was asked; the log has it as {number}.")
    return Unexpected(f"The server failed; the log has it as {number}.")


def as_outcome(error: CasebridgeError) -> str:
    return dumps(outcome(error))


def as_problem(error: CasebridgeError) -> str:
    """http://www.rfc-editor.org/rfc/rfc9457

    Beside its members: `code`, FHIR's issue code; `errors`, the path and reason of each thing that is wrong; of a rule of case management
    `rule`, its stable name, and `allowed`, what is possible instead.
    """
    told: Raw = {"title": HTTPStatus(error.status).phrase, "status": error.status, "detail": error.text, "code": error.issue_code}
    reasons = error.reasons if isinstance(error, Invalid) and error.reasons else [(path, error.text) for path in error.expression]
    if reasons:
        told["errors"] = [{"path": path, "reason": reason} for path, reason in reasons]
    if isinstance(error, RuleViolated):
        told |= {"rule": error.code, **({"allowed": error.allowed} if error.allowed else {})}
    return dumps(told)
