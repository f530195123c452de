"""OperationOutcome ⇄ our errors, the same for the client (reads them) and the server (writes them). http://hl7.org/fhir/R4/operationoutcome.html"""

import re

from adapter.config import CS
from adapter.errors import (
    CasebridgeError,
    MultipleMatches,
    RemoteConflict,
    RemoteError,
    RemoteFatal,
    RemoteGone,
    RemoteTemporary,
    RemoteUnauthorised,
    RuleViolated,
)
from adapter.fhir.resource import Raw

# 408, 425 and 429 say so themselves; of the server errors only 501 is a statement about the request and not about the moment.
TEMPORARY = frozenset({408, 425, 429, *range(500, 600)} - {501})
"""The HTTP statuses after which the same request may be answered later."""
# Only what these admit is shown: a remote's outcome may quote the resource anywhere. A path may hold `where(resolve() is Patient)`, but
# no literal.
_CODE = re.compile(r"[a-z][a-z-]{1,30}")
_PATH = re.compile(r"[A-Z][A-Za-z]+[.\[][A-Za-z0-9.\[\]() ]{1,150}")
_SHOWN = 3
_UNAUTHORISED = 401
# What says that the server is at work and this request is not: another may do.
_OF_THE_REQUEST = frozenset({404, 410, 500})
_LOGIN = "; it does not accept who we say we are: look at `auth` in its settings"

_FATAL: dict[int, type[RemoteFatal]] = {
    _UNAUTHORISED: RemoteUnauthorised,
    403: RemoteUnauthorised,
    409: RemoteConflict,
    412: RemoteConflict,
}


def outcome(error: CasebridgeError) -> Raw:
    """The OperationOutcome that tells a FHIR caller of an error; its texts hold no patient data because the error's do not."""
    issue: Raw = {"severity": "error", "code": error.issue_code}
    if isinstance(error, RuleViolated):
        possible = {"text": f"Possible: {', '.join(error.allowed)}"} if error.allowed else {}
        issue["details"] = {"coding": [{"system": f"{CS}/rule", "code": error.code}], **possible}
    issue["diagnostics"] = error.text
    if error.expression:
        issue["expression"] = list(error.expression)
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def codes(outcome: Raw) -> list[tuple[str, str, str]]:
    """(severity, code, element path or "") of each issue. Never its texts: a remote's diagnostics can quote the resource."""
    found = []
    for issue in outcome.get("issue") or ():
        paths = [path for path in issue.get("expression") or () if isinstance(path, str) and _PATH.fullmatch(path)]
        found.append((_code(issue.get("severity")), _code(issue.get("code")), paths[0] if paths else ""))
    return found


def _code(value: object) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else "?"


def remote_error(
    action: str, status: int, answer: Raw | None, *, known: bool = False, conditional: bool = False, retry_after: float | None = None
) -> CasebridgeError:
    """The typed error for an HTTP status that is not a success.

    `action` names the request without patient data. `known`: it was about one resource that we believe to exist, so 404 and 410 mean
    that it is gone; a 404 only where it comes with an OperationOutcome, for a proxy's 404 must not look like a deletion.
    `conditional`: it carried a condition and no version, so 412 means several matches.
    """
    issues = codes(answer) if answer and answer.get("resourceType") == "OperationOutcome" else []
    shown = "; ".join(" ".join(filter(None, issue)) for issue in issues[:_SHOWN])
    text = f"{action}: the remote answered {status}{f' ({shown})' if shown else ''}{_LOGIN if status == _UNAUTHORISED else ''}"
    expression = [path for _, _, path in issues if path]
    if status == 412 and (conditional or any(code == "multiple-matches" for _, code, _ in issues)):
        return MultipleMatches(text, expression=expression)
    error: RemoteError
    if status in TEMPORARY:
        error = RemoteTemporary(text, http_status=status, retry_after=retry_after)
    elif known and (status == 410 or (status == 404 and issues)):
        error = RemoteGone(text, http_status=status, expression=expression)
    else:
        error = _FATAL.get(status, RemoteFatal)(text, http_status=status, expression=expression)
    error.outcome = answer if issues else None
    return error


def ends_all(error: RemoteError) -> bool:
    """Whether no other request can be hoped for: nobody answers, the server asks for rest, or it does not know us."""
    if isinstance(error, RemoteTemporary):
        return error.http_status not in _OF_THE_REQUEST
    return error.http_status == _UNAUTHORISED
