"""Glasses that were broken, kept with the AuditEvents that tell of them, each in one transaction."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import uuid4

from pymongo.client_session import ClientSession

from adapter.access import glass
from adapter.access.glass import Broken
from adapter.access.whose import PATIENT
from adapter.audit.event import BREAK_THE_GLASS, DONE, REFUSED, Asker, Told, audit_event
from adapter.clock import instant
from adapter.errors import Conflict, NotFound, VersionConflict
from adapter.store.documents import Change, Document
from adapter.store.identified import identified
from adapter.store.repository import Also, Repository
from adapter.store.state import State

_KIND = "glass"
_NOBODY = "There is no client of this id or identifier."
_SEVERAL = "There are several clients with this identifier: name its system, or the id."
_KEPT = "That you asked is kept, with your reason."


class Glass:
    """Those of one store."""

    def __init__(self, repository: Repository) -> None:
        self._repository, self._state = repository, State(repository.database)

    def held(self, who: str) -> list[Broken]:
        """What counts now for a person, the first that ends first."""
        now = self._repository.clock()
        found = (_read(id, body) for id, body in self._state.all(_KIND, {"who": who, "until": {"$gt": now}}))
        return sorted((each for each in found if each.holds(now)), key=lambda each: each.over)

    def all(self, of: Iterable[str] | None = None) -> list[Broken]:
        """All that ever were, of these people or of everybody, the newest first."""
        asked = {"who": {"$in": sorted(of)}} if of is not None else {}
        return sorted((_read(id, body) for id, body in self._state.all(_KIND, asked)), key=lambda each: each.began, reverse=True)

    def find(self, who: str, why: str, *, id: str | None = None, identifier: tuple[str, str] | None = None) -> str:
        """The patient, `Patient/x`, of this id, or with this identifier: system, which may be empty, and value.

        Whether there is one is told to nobody but who gives a reason, and that they asked is kept. Raises Invalid for a reason that says
        nothing, NotFound, Conflict where several have the identifier.
        """
        found = self._found(id, identifier)
        if len(found) != 1:
            self._keep("break-glass", who, None, why, said=_SEVERAL if found else _NOBODY)
            raise Conflict(f"{_SEVERAL} {_KEPT}") if found else NotFound(f"{_NOBODY} {_KEPT}")
        return f"{PATIENT}/{found[0]}"

    def break_(self, who: str, patient: str, why: str, lasts: timedelta) -> Broken:
        """Let a person see a patient from now on. Raises Invalid for a reason that says nothing."""
        now = self._repository.clock()
        made = Broken(str(uuid4()), who, patient, glass.reason(why), now, now + lasts)
        self._keep("break-glass", who, patient, why, lambda session: self._state.put(_KIND, made.id, _document(made), session))
        return made

    def get(self, id: str) -> Broken:
        """One. Raises NotFound."""
        if (body := self._state.get(_KIND, id)) is None:
            raise NotFound("No glass of this id was broken.")
        return _read(id, body)

    def end(self, id: str, by: str) -> Broken:
        """End one before its time; one that is over stays as it is. Raises NotFound."""
        broken, now = self.get(id), self._repository.clock()
        if not broken.holds(now):
            return broken
        after = replace(broken, ended=now, ended_by=by)

        def end(session: ClientSession) -> None:
            if not self._state.swap(_KIND, id, {"ended": None}, _document(after), session):
                raise VersionConflict("Somebody else ended it just now.")

        try:
            self._keep("mend-glass", by, broken.patient, broken.reason, end)
        except VersionConflict:
            if (ended := self.get(id)).holds(now):
                raise
            return ended
        return after

    def _found(self, id: str | None, identifier: tuple[str, str] | None) -> list[str]:
        if id is not None:
            stored = self._repository.find(PATIENT, id)
            return [id] if stored and not stored.deleted else []
        return identified(self._repository, *(identifier or ("", "")))

    def _keep(self, what: str, who: str, patient: str | None, why: str, also: Also | None = None, said: str | None = None) -> None:
        """Write the AuditEvent, and with it what `also` writes."""
        event = audit_event(
            what,
            Asker(reference=who) if "/" in who else Asker(user=who),
            instant(self._repository.clock()),
            outcome=REFUSED if said else DONE,
            said=said,
            patients=[patient] if patient else [],
            told=Told(facts={"reason": why}),
            purpose=BREAK_THE_GLASS,
        )
        self._repository.commit([Change("AuditEvent", str(uuid4()), event, 0)], also=also)


def _document(broken: Broken) -> Document:
    return {name: value for name, value in asdict(broken).items() if name != "id"}


def _read(id: str, body: Document) -> Broken:
    return Broken(id, **body)
