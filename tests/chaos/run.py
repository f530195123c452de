"""One run: a storm of edits, faults and kills over two bridges and a hospital, then calm, then the judgement."""

import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from adapter.config import Settings
from adapter.errors import Conflict
from adapter.fhir.client import FhirClient
from adapter.store.connect import open_database
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.chaos import judge
from tests.chaos.edits import Ledger, People
from tests.chaos.sides import TYPES, Hospital, Manager, Side, name_of
from tests.chaos.weather import Weather
from tests.sync.faulty import Proxy

REMOTE = "hospital"
PATIENCE = 180
# A sync that finds nothing to write on either side, by both bridges in turn, ends the calm; so many turns are more than enough.
_TURNS = 12
_QUIET = {0, 1}
"""Exit codes of a sync that came to its end: in step, or with something left to a person."""

Disputes = dict[str, judge.Dispute]
Look = Callable[[Disputes], Disputes]


@dataclass
class Office:
    """A case manager's place: a home folder of its own, and the command line that is started there, and killed."""

    name: str
    environment: dict[str, str]
    bridge: Bridge
    counts: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)
    """The last lines of syncs that ended badly."""

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "adapter.cli", *arguments]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def run(self, *arguments: str) -> int:
        """The exit code of a command that is left to its end."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=PATIENCE)
        if process.returncode not in _QUIET:
            self.said.append(f"{self.name}: exit {process.returncode}: {said.strip().splitlines()[-1] if said.strip() else ''}")
        return process.returncode

    def storm(self, seed: int, ended: threading.Event) -> None:
        """Sync again and again, and be killed in two of five, until it is ended."""
        chance = random.Random(f"{seed} {self.name}")
        while not ended.is_set():
            self.counts["syncs"] += 1
            if chance.random() < 0.6:
                self.run("sync", REMOTE)
                continue
            process = self.start("sync", REMOTE)
            try:
                process.communicate(timeout=chance.uniform(0.8, 5))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                self.counts["kills"] += 1


@dataclass
class Verdict:
    """What a run came to."""

    seed: int
    ledger: Ledger
    counts: Counter[str]
    faults: Counter[str]
    conflicts: int
    problems: list[str]

    def row(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "seed": self.seed,
            **dict(sorted(self.ledger.counts.items())),
            **dict(sorted(self.counts.items())),
            "faults": sum(self.faults.values()),
            "conflicts": self.conflicts,
            "problems": self.problems,
        }


@contextmanager
def office(name: str, home: Path, proxy: str) -> Iterator[Office]:
    """A new one in this folder, with the hospital as its remote."""
    environment = {**os.environ, "CASEBRIDGE_HOME": str(home), "CASEBRIDGE_DATABASE": f"chaos_{name}_{os.getpid()}"}
    with open_database(Settings.from_env(environment), notice=lambda _: None) as database:
        bridge = Bridge(database)
        bridge.remotes.add(Remote(REMOTE, proxy, types=TYPES, page_size=7, bundle_size=6, timeout=10))
        yield Office(name, environment, bridge)


def run(hospital_url: str, folder: Path, *, seed: int, seconds: float, pause: float = 0.4) -> Verdict:
    """Storm for so many seconds, sync until all is quiet, and judge; then let a person decide all conflicts, and judge again."""
    weather = Weather(seed)
    with ExitStack() as stack:
        proxy = stack.enter_context(Proxy(hospital_url))
        proxy.faults = [weather.fault()]
        offices = [stack.enter_context(office(name, folder / name, proxy.url)) for name in ("north", "south")]
        client = stack.enter_context(FhirClient(hospital_url))
        sides: list[Side] = [Hospital(client), *(Manager(each.name, each.bridge) for each in offices)]
        people = People(sides, seed, pause)
        _storm(people, offices, seed, seconds)
        weather.fine = True
        problems = _calm(offices)
        known = {f"{raw['resourceType']}/{raw['id']}": str(name_of(raw)) for side in sides[1:] for raw in side.all()}
        bridges = {each.name: each.bridge for each in offices}
        look = partial(judge.disputes, bridges.values(), known)
        disputed = look({})
        held = {side.name: judge.contents(side) for side in sides}
        problems += judge.doubled(sides)
        problems += judge.different(held, {name for name, dispute in disputed.items() if dispute.open})
        disputed, undecided = _decided(offices, random.Random(f"{seed} decisions"), look, disputed)
        held = {side.name: judge.contents(side) for side in sides}
        problems += undecided + judge.doubled(sides) + judge.different(held, set()) + judge.missing(people.ledger, held)
        problems += [f"{edit.mark} on {edit.name} ({edit.side}) is lost" for edit in judge.lost(people.ledger, held, disputed)]
        problems += judge.accounts(bridges)
        problems += [f"verify finds something on {each.name}" for each in offices if each.run("verify") != 0]
        counts = sum((each.counts for each in offices), Counter[str]())
        return Verdict(seed, people.ledger, counts, weather.met, len(disputed), [*problems, *_dead(offices)])


def _storm(people: People, offices: list[Office], seed: int, seconds: float) -> None:
    ended = threading.Event()
    threads = [threading.Thread(target=people.work, args=(side, ended), daemon=True) for side in people.sides]
    threads += [threading.Thread(target=each.storm, args=(seed, ended), daemon=True) for each in offices]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    ended.set()
    for thread in threads:
        thread.join(PATIENCE)


def _calm(offices: list[Office]) -> list[str]:
    """Sync in turns until neither writes anything; what kept it from that."""
    quiet = 0
    for _ in range(_TURNS):
        for each in offices:
            code = each.run("sync", REMOTE)
            quiet = quiet + 1 if code in _QUIET and _written(each) == 0 else 0
            if quiet >= len(offices):
                return []
    return [f"not quiet after {_TURNS} turns", *(line for each in offices for line in each.said[-2:])]


def _written(office: Office) -> int:
    """How much its last sync wrote, on both sides; more than nothing where that sync did not come to its end."""
    body = max((body for _, body in office.bridge.state.all("certificates")), key=lambda body: body["started"])
    if not body["holds"]:
        return 1
    pulled = sum(row[column] for row in body["pull"].values() for column in ("created", "updated", "merged", "deleted"))
    return int(pulled + sum(counts.get(action, 0) for counts in body["push"].values() for action in ("create", "update", "delete")))


def _decided(offices: list[Office], chance: random.Random, look: Look, disputed: Disputes) -> tuple[Disputes, list[str]]:
    """A person decides all conflicts, by chance, and both sync; decisions of both about one resource can meet in another conflict."""
    for _ in range(_TURNS):
        waiting = [(each, id) for each in offices for id, _ in list(each.bridge.conflicts.all())]
        if not waiting:
            return disputed, []
        for each, id in waiting:
            # One that moved since it was found is looked at again in the next round.
            with suppress(Conflict):
                each.bridge.conflicts.resolve(id, {"*": chance.choice(("ours", "theirs"))}, by="chaos")
        problems = _calm(offices)
        disputed = look(disputed)
        if problems:
            return disputed, problems
    return disputed, [f"conflicts are left after {_TURNS} rounds of decisions"]


def _dead(offices: list[Office]) -> list[str]:
    return [f"a dead letter on {each.name}: {body['reason']}" for each in offices for _, body in each.bridge.state.all("dead_letters")]
