"""What can go wrong, one class per meaning.

Each class carries all that its three audiences need: the HTTP status and FHIR issue code (an API caller's OperationOutcome), the exit code
(the command line), and a text. The text is written here or by our own code and never holds a value taken from a resource or record.
Issue codes: http://hl7.org/fhir/R4/valueset-issue-type.html
"""

from collections.abc import Sequence
from typing import Any, ClassVar


class CasebridgeError(Exception):
    """Any failure that casebridge has a name for."""

    status: ClassVar[int] = 500
    issue_code: ClassVar[str] = "exception"
    exit_code: ClassVar[int] = 1

    def __init__(self, text: str, *, expression: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.text = text
        self.expression = tuple(expression)


class Invalid(CasebridgeError):
    """The input breaks the rules of its format; `expression` names the elements."""

    status, issue_code, exit_code = 400, "invalid", 2

    def __init__(self, text: str, *, expression: Sequence[str] = (), reasons: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(text, expression=expression)
        self.reasons = tuple(reasons)
        """Path and rule of each thing that is wrong, where there may be several."""


class Unauthenticated(CasebridgeError):
    """The caller did not say who it is, or could not prove it."""

    status, issue_code, exit_code = 401, "login", 4


class Forbidden(CasebridgeError):
    """The caller is known and may not do this."""

    status, issue_code, exit_code = 403, "forbidden", 4


class NotFound(CasebridgeError):
    """There is nothing of that name here."""

    status, issue_code, exit_code = 404, "not-found", 2


class NotAcceptable(CasebridgeError):
    """The caller asks for a format that is not spoken here."""

    status, issue_code, exit_code = 406, "not-supported", 2


class Busy(CasebridgeError):
    """Another process holds the lease for this work."""

    status, issue_code, exit_code = 409, "lock-error", 5


class Gone(CasebridgeError):
    """It was here and has been deleted."""

    status, issue_code, exit_code = 410, "deleted", 2


class VersionConflict(CasebridgeError):
    """The version that the caller wrote against is no longer the current one."""

    status, issue_code = 412, "conflict"


class StaleRecord(CasebridgeError):
    """The record was changed since the caller read it; unlike VersionConflict, trying again with the same version cannot help."""

    status, issue_code = 412, "conflict"


class MultipleMatches(CasebridgeError):
    """A condition that must select one resource selects several."""

    status, issue_code = 412, "multiple-matches"


class Conflict(CasebridgeError):
    """What is asked contradicts what is stored beside it."""

    status, issue_code, exit_code = 409, "conflict", 2


class TooLarge(CasebridgeError):
    """The content is over a limit; the text names the limit."""

    status, issue_code, exit_code = 413, "too-long", 2


class TooCostly(CasebridgeError):
    """What is asked would take more work than is done for one request; the text says what to ask instead."""

    # Not 403: nobody else may ask it either, and a client that is refused as forbidden takes its credentials for wrong.
    status, issue_code, exit_code = 400, "too-costly", 2


class UnsupportedMedia(CasebridgeError):
    """The body is in a format that is not spoken here."""

    status, issue_code, exit_code = 415, "not-supported", 2


class RuleViolated(CasebridgeError):
    """The request is well formed and breaks a rule of case management; `code` is the rule's stable name."""

    status, issue_code, exit_code = 422, "business-rule", 2

    def __init__(self, text: str, *, code: str, expression: Sequence[str] = (), allowed: Sequence[str] = ()) -> None:
        super().__init__(text, expression=expression)
        self.code = code
        self.allowed = tuple(allowed)
        """What is possible instead: the steps that a case may go to, or who has room."""


class NotNow(RuleViolated):
    """The rule is broken by the state of something else, such as the step that the case is in or a caseload that is full."""

    status, issue_code = 409, "conflict"


class NotResponsible(RuleViolated):
    """The rule says who may do this, and it is somebody else."""

    status, issue_code, exit_code = 403, "forbidden", 4


class NotApplicable(CasebridgeError):
    """The change is well formed and does not fit the resource as it is."""

    status, issue_code, exit_code = 422, "processing", 2


class UnknownCode(CasebridgeError):
    """A code is not in its table. The raw code stays where it was; it never becomes nothing."""

    status, issue_code, exit_code = 422, "code-invalid", 2


class NotUnderstood(CasebridgeError):
    """A modifierExtension that we do not know changes the meaning of the resource; it is kept raw and not edited."""

    status, issue_code, exit_code = 422, "extension", 2


class DuplicateItem(CasebridgeError):
    """Two items of a list carry the same key, so an edit of one of them would be a guess."""

    status, issue_code, exit_code = 422, "duplicate", 2


class Throttled(CasebridgeError):
    """The caller asks too often; try again after so many seconds."""

    status, issue_code, exit_code = 429, "throttled", 3

    def __init__(self, text: str, *, retry_after: int) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class NotSupported(CasebridgeError):
    """A part of FHIR that this server does not do."""

    status, issue_code, exit_code = 501, "not-supported", 2


class StoreUnavailable(CasebridgeError):
    """The database cannot be reached, or cannot do what is needed; the text says what to do."""

    status, issue_code, exit_code = 503, "no-store", 6


class WorkFailed(CasebridgeError):
    """A part of a work that was divided was not done; the text says why, and what was done is kept."""


class RemoteError(CasebridgeError):
    """A remote FHIR server did not do what was asked. `http_status` is its answer's, None when there was none."""

    status, issue_code, exit_code = 502, "processing", 4

    def __init__(self, text: str, *, http_status: int | None = None, expression: Sequence[str] = ()) -> None:
        super().__init__(text, expression=expression)
        self.http_status = http_status
        self.outcome: dict[str, Any] | None = None
        """The OperationOutcome of its answer, to be kept and not shown: its texts may quote the resource."""


class RemoteTemporary(RemoteError):
    """The remote may answer the same request later: no connection, time-out, 429, 5xx."""

    status, issue_code, exit_code = 503, "transient", 3

    def __init__(self, text: str, *, http_status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text, http_status=http_status)
        self.retry_after = retry_after


class RemoteFatal(RemoteError):
    """The remote refuses this request and would refuse it again (4xx, or an answer that is not FHIR)."""


class RemoteUnauthorised(RemoteFatal):
    """The remote does not accept our credentials, or they do not allow this."""

    issue_code = "security"


class RemoteGone(RemoteFatal):
    """The remote had it and no longer has it (404 or 410 on a thing we know)."""

    issue_code = "deleted"


class RemoteConflict(RemoteFatal):
    """The remote's version moved since we read it (409 or 412)."""

    status, issue_code = 409, "conflict"
