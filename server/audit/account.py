"""Writes the account: with a change in its transaction, of all else before the answer goes out. What cannot be written down is refused."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from pymongo.errors import PyMongoError
from werkzeug.exceptions import HTTPException

from adapter.access.whose import PATIENT
from adapter.audit.event import BREAK_THE_GLASS, CREATED, DELETED, DONE, FAILED, FIRST, REFUSED, TYPE, UPDATED, Told, audit_event
from adapter.clock import instant
from adapter.errors import CasebridgeError, NotFound, StoreUnavailable, Throttled
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server.audit import whose
from server.audit.access import Access, current, under_way
from server.audit.focus import named, records, reference
from server.audit.told import Said, parts, people, refused, said, shown
from server.front import Application, Environ, Handler
from server.interaction import interaction
from server.reply import Reply, Stream

# What is asked before it can be known who asks; the other pages have the names of their endpoints.
_DOORS = {
    ("POST", "/login"): "login",
    ("GET", "/login/oidc/back"): "login",
    ("POST", "/logout"): "logout",
    ("POST", "/oauth/introspect"): "introspect",
    ("POST", "/oauth/revoke"): "revoke",
}
_TOKENS = "/oauth/"
_ADDRESSES = ("Location", "Content-Location")
_ENTRANCES = (_TOKENS, "/login", "/logout")
# So many resources are found by AuditEvents that tell of their change; those of larger Bundles are told in a line.
_MANY = 100
_BLOCK = 4 * 2**20
_AT_ONCE = 1000
_LONGEST_LINE, _LONGEST_QUESTION = 4000, 1_000_000
_CUT = "[cut here]"
_WITHHELD = "withheld"
_NOTHING = Said()
_UNWRITTEN = "What was asked cannot be written down just now, so it is not answered; try again later."


class Account:
    """The account of one store's accesses."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        repository.beside = self._beside

    def of_fhir(self, handler: Handler) -> Handler:
        """The handler, every access to which is accounted for."""

        def accounted(environ: Environ, address: str, path: str) -> Reply:
            with under_way(_access(environ)) as access:
                try:
                    reply = handler(environ, address, path)
                except Exception as error:
                    self._refused(access, environ, error)
                    raise
                if reply.stream:
                    self._answered(access, environ, Said())
                    return replace(reply, stream=self._streamed(access, reply.stream))
                address = next((value for name, value in reply.headers if name in _ADDRESSES), "")
                self._answered(access, environ, said(reply.body, address))
                if access.refused:
                    self._partly_refused(access)
                return reply

        return accounted

    def of_pages(self, application: Application) -> Application:
        """The application, every access to which is accounted for."""

        def accounted(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
            begun: list[int] = []

            def started(status: str, headers: Any, *rest: Any) -> Any:
                begun[:] = [int(status[:3])]
                return start(status, headers, *rest)

            with under_way(_access(environ)) as access:
                try:
                    body = _whole(application(environ, started))
                except Exception as error:
                    self._refused(access, environ, error)
                    raise
                [status] = begun
                if status < 400:
                    self._answered(access, environ, shown(body))
                elif status != Throttled.status:
                    self._page_refused(access, environ, status, body)
                return [body]

        return accounted

    @contextmanager
    def _beside(self, changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
        """What is committed with changes: who made them, of what and of whom."""
        access = current()
        made = [change for change in changes if change.type != TYPE]
        if access is None or access.principal is None or not made:
            yield ()
            return
        targets = list(dict.fromkeys(f"{change.type}/{change.id}" for change in made))
        patients = whose.changed(self._repository, made)
        others = [each for each in targets if not each.startswith(f"{PATIENT}/")]
        many = len(others) > _MANY
        told = Told(count=len(targets), rule=access.rule, facts={**access.grant, **({"written": " ".join(others)} if many else {})})
        yield [self._event(access, patients=patients, targets=() if many else others, told=told, writes=_action(made))]
        # Not before: of a commit that failed nothing is left, and what its request is told instead was not written down.
        access.written |= {*targets, *patients}

    def _answered(self, access: Access, environ: Environ, told: Said) -> None:
        if access.principal is None:
            return
        if access.told:
            names = dict.fromkeys([*told.resources, *access.told])
            named = {each for each in names if each.startswith(f"{PATIENT}/")}
            told = replace(told, resources=tuple(names), count=len(names), patients=told.patients | named)
        patients = told.patients | whose.unsaid(self._repository, access, environ["PATH_INFO"], told)
        # Who asks for several things may be told of what they write, too; that they asked is written down all the same.
        if access.written and len(access.asked) <= 1 and {*told.resources, *patients} <= access.written:
            return
        self._write(access, environ, DONE, None, patients, told)

    def _refused(self, access: Access, environ: Environ, error: Exception) -> None:
        """Account for a refusal. How often somebody asks too soon is not written down: that would be what it is to spare."""
        if isinstance(error, Throttled):
            return
        if isinstance(error, CasebridgeError):
            status, reason = error.status, error.issue_code
        else:
            status, reason = (error.code or 500 if isinstance(error, HTTPException) else 500), "exception"
        if isinstance(error, NotFound) and access.sight and whose.there(self._repository, [reference(environ["PATH_INFO"])]):
            reason = _WITHHELD
        self._write(access, environ, REFUSED if status < 500 else FAILED, f"{status} {reason}")

    def _page_refused(self, access: Access, environ: Environ, status: int, body: bytes) -> None:
        """Account for a page, or an answer of the case API, that refuses; before that for what a form tells that comes back with it."""
        path, (reason, told) = environ["PATH_INFO"], refused(status, body)
        # A page that only says why it refuses shows nothing of what its path names.
        patients = told.patients | whose.unsaid(self._repository, access, path if told.sheet else "", told)
        if patients:
            self._write(access, environ, DONE, None, patients, told)
        if status == NotFound.status and access.sight and whose.withheld(self._repository, access.sight, records(path)):
            reason = f"{status} {_WITHHELD}"
        self._write(access, environ, REFUSED if status < 500 else FAILED, reason)

    def _partly_refused(self, access: Access) -> None:
        """Account for the entries of a Bundle that were refused while others were answered: in one AuditEvent."""
        if access.principal is None:
            return
        focused = [(each, reference(f"/fhir/{each.url.partition('?')[0]}")) for each in access.refused]
        missed = [found for each, found in focused if isinstance(each.error, NotFound)] if access.sight else []
        hidden = whose.there(self._repository, missed)
        lines, reasons, about = [], Counter[str](), dict[str, None]()
        for each, found in focused:
            withheld = found in hidden and isinstance(each.error, NotFound)
            reason = f"{each.error.status} {_WITHHELD if withheld else each.error.issue_code}"
            lines.append(f"{reason}: {each.method} {each.url}")
            reasons[reason] += 1
            about |= {found: None} if found else {}
        patients = [each for each in about if each.startswith(f"{PATIENT}/")]
        others = [each for each in about if not each.startswith(f"{PATIENT}/")]
        said = ", ".join(f"{number} x {reason}" for reason, number in sorted(reasons.items()))
        failed = any(each.error.status >= 500 for each in access.refused)
        facts = {"outcome": FAILED if failed else REFUSED, "said": said, "query": _lines(lines), "told": Told(facts=access.grant)}
        self._committed(access, patients, others, **facts)

    def _write(
        self,
        access: Access,
        environ: Environ,
        outcome: str,
        reason: str | None,
        patients: Iterable[str] = (),
        answer: Said = _NOTHING,
    ) -> None:
        """Commit an AuditEvent; of a request by nobody who is known only where it was refused for that. Raises StoreUnavailable."""
        if access.principal is None and not (reason and _is_door(environ, reason)):
            return
        told = Told(answer.resources, answer.count, access.rule if outcome == DONE else None, {**access.grant, **access.facts})
        whom, targets = named(environ["PATH_INFO"])
        about = sorted({*patients, *whom})
        # An answer to a write that wrote nothing tells what was there before.
        reads = outcome == DONE and not access.written
        # A batch that only writes tells what became of that; to read what was just written is another thing.
        wrote = outcome == DONE and access.only_writes and {*answer.resources, *about} <= access.written
        facts = {"outcome": outcome, "said": reason, "query": _question(access, environ), "told": told, "reads": reads}
        self._committed(access, about, targets, **facts, writes=UPDATED if wrote else None)

    def _committed(self, access: Access, patients: Sequence[str], targets: Sequence[str], **facts: Any) -> None:
        """Commit the AuditEvent of an access: several, where it is about so many that one could not be kept."""
        for start in range(0, max(1, len(patients), len(targets)), _AT_ONCE):
            whom, what = patients[start : start + _AT_ONCE], targets[start : start + _AT_ONCE]
            event = self._event(access, patients=whom, targets=what, **facts)
            self._commit(event)
            if not start:
                # They can be large; the others lead to them.
                told = replace(facts["told"], resources=(), facts={**facts["told"].facts, FIRST: f"{TYPE}/{event.id}"})
                facts |= {"query": None, "told": told}

    def _streamed(self, access: Access, stream: Stream) -> Stream:
        """A body that is sent in blocks, each of which goes out when it is written down whom it tells of."""

        def pieces() -> Iterator[bytes]:
            seen: set[str] = set()
            for lines, block in _blocks(stream):
                new = (people(lines) | whose.of(self._repository, parts(lines))) - seen
                seen |= new
                for some in _portions(sorted(new)):
                    self._commit(self._event(access, patients=some, told=Told(rule=access.rule)))
                yield block

        return Stream(pieces(), stream.length)

    def _event(self, access: Access, *, patients: Iterable[str] = (), **facts: Any) -> Change:
        whom = sorted({*patients})
        broken = access.sight is not None and not access.sight.viewer.glass.isdisjoint(whom)
        at = instant(self._repository.clock())
        raw = audit_event(access.name, access.asker, at, patients=whom, purpose=BREAK_THE_GLASS if broken else None, **facts)
        return Change(TYPE, str(uuid4()), raw, 0)

    def _commit(self, event: Change) -> None:
        try:
            self._repository.commit([event])
        except (CasebridgeError, PyMongoError):
            raise StoreUnavailable(_UNWRITTEN) from None


def _action(changes: Sequence[Change]) -> str:
    """What changes do, as an AuditEvent says it: of several the one that takes away most, since each may come with a new Provenance."""
    if any(change.raw is None for change in changes):
        return DELETED
    return UPDATED if any(change.expect for change in changes) else CREATED


def _access(environ: Environ) -> Access:
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    name = _DOORS.get((method, path)) or ("token" if path.startswith(_TOKENS) else interaction(method, path)[0])
    return Access(name, environ.get("REMOTE_ADDR") or None)


def _is_door(environ: Environ, reason: str) -> bool:
    """Whether a refusal is of somebody who could not show who they are."""
    path = environ["PATH_INFO"]
    return reason[:3] in ("401", "403") or path.startswith(_TOKENS) or (environ["REQUEST_METHOD"], path) in _DOORS


def _question(access: Access, environ: Environ) -> str | None:
    """What was asked; of where people and programs come in no more than what is looked for, since addresses there hold secrets."""
    path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
    if path.startswith(_ENTRANCES) and not access.asked:
        return None
    return _lines(access.asked or [f"{environ['REQUEST_METHOD']} {path}{'?' if query else ''}{query}"])


def _lines(several: Sequence[str]) -> str:
    """The lines as one text, which says where it leaves something out: a long line does not hide those after it."""
    lines = [each.replace("\n", " ") for each in several]
    found = "\n".join(each if len(each) <= _LONGEST_LINE else f"{each[:_LONGEST_LINE]} {_CUT}" for each in lines)
    return found if len(found) <= _LONGEST_QUESTION else f"{found[:_LONGEST_QUESTION]}\n{_CUT} {len(several)} requests in all"


def _whole(chunks: Iterable[bytes]) -> bytes:
    try:
        return b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()


def _blocks(stream: Stream) -> Iterator[tuple[bytes, bytes]]:
    """The same bytes in larger pieces, each behind the whole lines that it is of: half an id is another id."""
    before, after = stream.around
    held: list[bytes] = []
    size = 0
    for piece in stream.pieces:
        held.append(piece)
        size += len(piece)
        if size >= _BLOCK and b"\n" in piece:
            block, end, rest = b"".join(held).rpartition(b"\n")
            yield before + block + end, block + end
            before, held, size = b"", [rest], len(rest)
    if size:
        rest = b"".join(held)
        yield before + rest + after, rest


def _portions(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
