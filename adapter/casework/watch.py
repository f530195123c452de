"""Watches what comes in by any door, and the days that pass, and makes the tasks that follow (docs/follow-up.md).

A case is looked at as a whole when something of its client changed, and on the day on which time alone may ask for something (its timer).
What is made has an id made from its cause, so a case that is looked at again, by whomever, gets nothing twice; a person who deletes a
task has said the last word about it.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5

from pymongo.errors import PyMongoError

from adapter import log
from adapter.care.follow_up import policy
from adapter.cases.facts import Facts, day
from adapter.cases.insurance_answers import settled as by_answers
from adapter.cases.insurance_answers import unsettled
from adapter.cases.reactions import AFTERWARDS, RULES, Finding, Ground, findings, look_again, passed
from adapter.cases.record import Fields
from adapter.casework import referrals, transitions
from adapter.casework.answers import look
from adapter.casework.desk import SUPERVISORS, Actor, Desk, settled
from adapter.casework.facts import records_of
from adapter.casework.records import changes, put, write
from adapter.config import BASE, SYNTHETIC_TAG
from adapter.errors import CasebridgeError, StaleRecord, VersionConflict
from adapter.fhir.dates import BEGIN, END
from adapter.fhir.resource import Raw, has_tag
from adapter.mapping.task import KINDS
from adapter.store.claims import turn
from adapter.store.documents import Change, Stored
from adapter.store.filters import KEY
from adapter.store.repository import Repository
from adapter.store.state import State

WATCHER = "Device/casebridge-watch"
"""Who makes the tasks."""
WATCHED = (
    "EpisodeOfCare",
    "Encounter",
    "Appointment",
    "RiskAssessment",
    "Condition",
    "ClaimResponse",
    "CoverageEligibilityResponse",
    "ServiceRequest",
    "QuestionnaireResponse",
    "Task",
)
OVERLAP = timedelta(minutes=2)
"""A change can be seen so much later than its time says: a transaction lasts a minute at most, and the clocks of servers differ."""
_TIMERS, _PLACES, _PLACE = "timers", "state", "watch"
_IDS = uuid5(NAMESPACE_URL, f"{BASE}/watch")
_BATCH = 200
_CLINICAL = {"system": "http://terminology.hl7.org/CodeSystem/flag-category", "code": "clinical", "display": "Clinical"}
_ENDED = ("cancelled", "entered-in-error")
_CLIENTS = ("fhir.index.patient", "fhir.index.subject")


@dataclass(frozen=True)
class Watched:
    """What one look came to."""

    cases: int
    """How many were looked at."""
    tasks: int
    """How many tasks were made."""


class Watch:
    """Looks again and again. What it has seen in the overlap it keeps in mind, so that it does not look at it twice."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._state = State(repository.database)
        self._seen: dict[tuple[str, str, int], datetime] = {}

    def look(self) -> Watched:
        """Look at all that changed since the last look, and at what is due today. The store's failures leave it all to the next look."""
        began = self._repository.clock()
        known = self._state.get(_PLACES, _PLACE)
        since = known["at"] - OVERLAP if known else None
        self._seen = {key: at for key, at in self._seen.items() if since and at >= since}
        clients, fresh = self._changed(since)
        timers = self._timers(began)
        cases = {stored.reference: stored for stored in self._cases(clients)}
        cases |= {stored.reference: stored for stored in self._named({case for _, case in timers} - cases.keys())}
        tasks = sum(self._attempt(stored) for stored in cases.values())
        for timer, _ in timers:
            self._state.drop(_TIMERS, timer)
        self._seen |= fresh
        self._state.put(_PLACES, _PLACE, {"at": began})
        return Watched(len(cases), tasks)

    def _changed(self, since: datetime | None) -> tuple[set[str], dict[tuple[str, str, int], datetime]]:
        """The clients of whom something changed, and what. The first look is at all cases and at no history."""
        clients: set[str] = set()
        fresh: dict[tuple[str, str, int], datetime] = {}
        fields = {"fhir.version": 1, "fhir.updated": 1, **dict.fromkeys(_CLIENTS, 1)}
        there = set(self._repository.types())
        watched = WATCHED if since else WATCHED[:1]
        # Where there is no case, what comes in is nobody's to look at: an import of a million resources is not read again.
        for type in there.intersection(watched) if WATCHED[0] in there else ():
            window = {"fhir.updated": {"$gte": since or BEGIN, "$lt": END}}
            for document in self._repository.collection(type).find(window, fields, batch_size=1000):
                face = document["fhir"]
                key = type, document["_id"], face["version"]
                if key not in self._seen:
                    fresh[key] = face["updated"]
                    index = face.get("index", {})
                    clients |= {owner for name in ("patient", "subject") for owner in index.get(name, ()) if owner.startswith("Patient/")}
        return clients, fresh

    def _timers(self, now: datetime) -> list[tuple[str, str]]:
        """The timers whose day has come, with their cases."""
        due = {"_id": {"$gte": "0", "$lt": (now.date() + timedelta(days=1)).isoformat()}}
        return [(id, body["case"]) for id, body in self._state.all(_TIMERS, due)]

    def _cases(self, clients: Iterable[str]) -> Iterator[Stored]:
        listed = sorted(clients)
        for start in range(0, len(listed), _BATCH):
            yield from self._kept({KEY: {"$in": listed[start : start + _BATCH]}, "concept": "case"})

    def _named(self, cases: Iterable[str]) -> Iterator[Stored]:
        listed = sorted(case.partition("/")[2] for case in cases)
        for start in range(0, len(listed), _BATCH):
            yield from self._kept({"_id": {"$in": listed[start : start + _BATCH]}, "concept": "case"})

    def _kept(self, query: Raw) -> Iterator[Stored]:
        """Cases that are still looked after, or were closed while the time for a readmission runs."""
        last = self._repository.clock().date() - timedelta(days=policy().readmission_days)
        for stored in self._repository.scan("EpisodeOfCare", query):
            if stored.deleted or stored.raw.get("status") in _ENDED or "case_manager" not in stored.record:
                continue
            if stored.raw.get("status") != "finished" or day(stored.record.get("closed_at", "0001")) >= last:
                yield stored

    def _attempt(self, stored: Stored) -> int:
        """Examine a case; one that cannot be is looked at again tomorrow, and keeps no other waiting."""
        try:
            return self._examine(stored)
        except PyMongoError:
            raise
        except Exception as error:  # noqa: BLE001 - the worker loop: what was imported can be what no rule expects
            log.event("watch.failed", level=logging.ERROR, case=stored.id, error=type(error).__name__)
            self._tomorrow(stored.reference)
            return 0

    def _unsettled(self, case: str, reference: str, error: CasebridgeError) -> None:
        """Tell of a record that cannot be settled; what keeps it may be nothing that is watched, so it is tried again tomorrow."""
        log.event("watch.unsettled", level=logging.WARNING, reference=reference, error=type(error).__name__)
        self._tomorrow(case)

    def _tomorrow(self, case: str) -> None:
        self._set_timer(self._repository.clock().date() + timedelta(days=1), case)

    def _set_timer(self, on: date, case: str) -> None:
        self._state.put(_TIMERS, f"{on} {case}", {"case": case})

    def _examine(self, stored: Stored) -> int:
        """Make what follows from a case's record, and set its timer. The number of tasks that are new."""
        case = stored.record | stored.local
        synthetic = has_tag(stored.raw, SYNTHETIC_TAG)
        desk = Desk(self._repository, Actor(WATCHER), self._repository.clock, synthetic=synthetic)
        over = stored.raw.get("status") == "finished"
        facts = Facts(records_of(self._repository, stored.reference, case)) if over else self._answered(desk, stored.reference, case)
        unable = partial(self._unsettled, stored.reference)
        if not over and any([referrals.settle(desk, facts, unable), transitions.settle(desk, facts, unable)]):
            facts = Facts(records_of(self._repository, stored.reference, case))
        unread = unsettled(look(self._repository, facts, desk.now()))
        ground = Ground(stored.reference, case, facts, desk.now(), policy(), WATCHER, unread)
        if not over:
            self._reconcile(desk, ground)
        made = sum(self._make(desk, ground, found) for found in findings(ground, AFTERWARDS if over else RULES))
        if not over and (again := look_again(ground)):
            self._set_timer(again, stored.reference)
        return made

    def _answered(self, desk: Desk, reference: str, case: Fields) -> Facts:
        """The case's records, once what insurers answered and what has ended is taken over into them, as far as it can be."""

        def decide() -> Facts:
            turns = [turn(self._repository.database, reference)]
            facts = Facts(records_of(self._repository, reference, case))
            effects = by_answers(look(self._repository, facts, desk.now()))
            if not effects:
                return facts
            wanted = [*self._watcher(desk.synthetic)]
            for concept, each, fields in effects:
                wanted += changes(self._repository, concept, each.partition("/")[2], fields, synthetic=desk.synthetic)
            write(desk, wanted, turns, activity="insurer-answer")
            return Facts(records_of(self._repository, reference, case))

        try:
            return settled(decide)
        except CasebridgeError as error:
            self._unsettled(reference, reference, error)
            return Facts(records_of(self._repository, reference, case))

    def _reconcile(self, desk: Desk, ground: Ground) -> None:
        """A booked appointment of ours that passed without an arrival was missed (P-11); another system says that of its own."""
        for reference, appointment in ground.facts.of("appointment").items():
            found = self._repository.find("Appointment", reference.partition("/")[2]) if passed(ground, appointment) else None
            # As it is now: what the facts say of it is older.
            now = found.record | found.local if found and found.born is None and not found.deleted else {}
            if found and "start" in now and passed(ground, now) and ground.recent(day(now["start"])):
                try:
                    put(desk, "appointment", found.id, now | {"status": "noshow"}, expect=found.version, activity="reconcile")
                except StaleRecord:
                    continue  # somebody has just said what became of it, which is looked at next
                except CasebridgeError as error:
                    self._unsettled(ground.reference, reference, error)

    def _make(self, desk: Desk, ground: Ground, found: Finding) -> bool:
        """Whether the task is new. Other writers may make it at the same moment: then it is there, too."""
        key = f"{found.kind} {found.key} {ground.reference}"
        id = str(uuid5(_IDS, key))
        if self._repository.find("Task", id):
            return False
        owner = self._supervisor(ground.case) if found.supervisor else None
        fields: Fields = {
            "client": ground.case["client"],
            "case": ground.reference,
            "status": "requested",
            "intent": "order",
            "priority": found.priority,
            "code": KINDS[found.kind],
            "focus": found.about,
            "authored_at": ground.at,
            "requester": WATCHER,
            "owner": owner or ground.case["case_manager"],
            "due": found.due,
            **self._instead(desk, ground, found),
        }
        wanted = [*self._watcher(desk.synthetic), *changes(self._repository, "task", id, fields, synthetic=desk.synthetic)]
        if found.kind == "readmission":
            wanted += self._flag(uuid5(UUID(id), "flag"), ground, found, desk.synthetic)
        try:
            write(desk, wanted, activity=KINDS[found.kind]["code"])
        except VersionConflict:
            return False
        return True

    def _instead(self, desk: Desk, ground: Ground, found: Finding) -> Fields:
        """Of a referral that came to nothing, whom to ask next."""
        if not found.kind.startswith("referral_"):
            return {}
        service = ground.facts.of("task")[found.about]["focus"]
        next_ = [each.reference for each in referrals.candidates(desk, service.partition("/")[2])]
        return {"inputs": [{"type": {"text": "candidate"}, "value": {"reference": each}} for each in next_]} if next_ else {}

    def _watcher(self, synthetic: bool) -> Iterator[Change]:
        """The device that Provenance and tasks name, before its first task.

        It says nothing of anybody. A sandbox takes only what is tagged, so it is tagged for the first synthetic task, which refers to it.
        """
        type, _, id = WATCHER.partition("/")
        now = self._repository.find(type, id)
        if now is None or (synthetic and not now.deleted and not has_tag(now.raw, SYNTHETIC_TAG)):
            name = [{"name": "casebridge watch", "type": "user-friendly-name"}]
            tagged: Raw = {"meta": {"tag": [dict(SYNTHETIC_TAG)]}} if synthetic else {}
            raw = {"resourceType": type, **tagged, "status": "active", "deviceName": name}
            yield Change(type, id, raw, now.version if now else 0)

    def _flag(self, id: UUID, ground: Ground, found: Finding, synthetic: bool) -> Iterator[Change]:
        """What marks the case for everybody who opens the client's record."""
        fields: Fields = {
            "client": ground.case["client"],
            "case": ground.reference,
            "status": "active",
            "kind": "readmission",
            "categories": [dict(_CLINICAL)],
            "period": {"start": ground.facts.of("encounter")[found.about]["period"]["start"]},
            "encounter": found.about,
            "author": WATCHER,
        }
        return changes(self._repository, "flag", str(id), fields, synthetic=synthetic)

    def _supervisor(self, case: Fields) -> str | None:
        """A supervisor of the case's organisation, else any; always the same while nothing changes."""
        found = []
        for role in sorted(SUPERVISORS):
            for stored in self._repository.scan("PractitionerRole", {KEY: role, "concept": "case_manager"}):
                elsewhere = stored.record.get("organization") != case.get("managing_organization")
                found.append((elsewhere, f"Practitioner/{stored.id}"))
        return min(found)[1] if found else None
