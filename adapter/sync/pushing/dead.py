"""Dead letters: what a remote refused, or what could not be kept here, each with its reason until it is mended, sent again or given up."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime

from adapter.clock import Clock, instant
from adapter.errors import CasebridgeError, NotFound, RemoteError, RemoteTemporary
from adapter.fhir.outcome import codes
from adapter.fhir.resource import Raw, decode, dumps
from adapter.store.documents import Change, Document, Stored
from adapter.store.repository import Repository
from adapter.store.state import State

_KIND = "dead_letters"


@dataclass(frozen=True)
class Letter:
    """One refusal."""

    remote: str
    direction: str
    """push or pull"""
    reason: str
    """Without patient data."""
    at: datetime
    reference: str | None = None
    """Our Type/id, for a push."""
    there: str | None = None
    """Type/id at the remote, for a pull."""
    version: int | None = None
    """Our version that was refused."""
    status: int | None = None
    """The HTTP status of the remote's answer."""
    temporary: bool = False
    """Whether the remote failed over it rather than refused it: it may take it another time."""
    outcome: str | None = None
    """The remote's OperationOutcome, as text: it may quote the resource."""

    @property
    def id(self) -> str:
        """The name by which a person speaks of it."""
        return f"{self.remote}:{self.direction}:{self.resource}"

    @property
    def resource(self) -> str:
        return self.reference or self.there or ""

    @property
    def issues(self) -> list[tuple[str, str, str]]:
        """(severity, code, element path) of each issue of the remote's, without its texts."""
        return codes(decode(self.outcome)) if self.outcome else []

    def to_json(self) -> Raw:
        """What `dead show --json` shows: none of the remote's texts."""
        body = {"id": self.id, **asdict(self), "at": instant(self.at)}
        body["outcome"] = [dict(zip(("severity", "code", "expression"), issue, strict=True)) for issue in self.issues]
        return body


class Letters:
    """The dead letters of all remotes."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def refused(self, remote: str, stored: Stored | None, reference: str, error: CasebridgeError) -> Letter:
        """Keep what a remote refused of ours, instead of an earlier letter about it."""
        outcome = error.outcome if isinstance(error, RemoteError) else None
        letter = Letter(
            remote,
            "push",
            error.text,
            self._clock(),
            reference=reference,
            version=stored.version if stored else None,
            status=error.http_status if isinstance(error, RemoteError) else None,
            temporary=isinstance(error, RemoteTemporary),
            outcome=dumps(outcome) if outcome else None,
        )
        self._state.put(_KIND, letter.id, asdict(letter))
        return letter

    def all(self, remote: str | None = None, direction: str | None = None) -> Iterator[Letter]:
        """The letters, by id."""
        wanted = {"remote": remote, "direction": direction}
        for _, body in self._state.all(_KIND, {name: value for name, value in wanted.items() if value}):
            yield _letter(body)

    def get(self, id: str) -> Letter:
        """One letter. Raises NotFound."""
        body = self._state.get(_KIND, id)
        if body is None:
            raise NotFound(f"There is no dead letter {id}; `casebridge dead list` shows those that there are.")
        return _letter(body)

    def drop(self, letter: Letter) -> None:
        """Take it away: it is mended, or given up."""
        self._state.drop(_KIND, letter.id)

    def give_up(self, letter: Letter, repository: Repository) -> None:
        """Take it away, and send what was refused no more. Raises VersionConflict where the resource is changed just now.

        What was changed here since it was refused is owed still: nobody has given that up.
        """
        stored = repository.find(*letter.reference.split("/")) if letter.reference else None
        if stored and stored.version == letter.version and letter.remote in stored.outbox:
            raw = None if stored.deleted else stored.raw
            repository.commit([Change(stored.type, stored.id, raw, stored.version, sent=letter.remote)])
        self.drop(letter)


def _letter(body: Document) -> Letter:
    known = {field.name for field in fields(Letter)}
    return Letter(**{name: value for name, value in body.items() if name in known})
