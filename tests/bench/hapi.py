"""`python -m tests.bench.hapi`: casebridge and HAPI on one machine, with the same data and the same client, in turns."""

import argparse
import dataclasses
import json
import signal
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adapter.config import Settings
from adapter.fhir.resource import Raw, parse, resource_type
from adapter.store.connect import open_database
from adapter.store.repository import Repository
from adapter.sync.exporting.exports import LAG
from tests.bench import bulk, data, floor, servers, wrk
from tests.bench.agreement import differences, refused
from tests.bench.comparison import Row, lines
from tests.bench.figures import Broken, Skipped, machine
from tests.bench.loading import load, transactions
from tests.bench.queries import NAMES, Query, queries
from tests.bench.selection import in_order, whole_patients
from tests.bench.servers import Side

DATA: dict[str, Callable[[], list[bytes]]] = {"synthea-s": lambda: data.small()[1], "synthea-a": whole_patients}
BESIDE = ("start", "load", "memory", "export")
_WARM_TURN, _GROWN, _WRITING = 3, 1.05, 15


@dataclasses.dataclass(frozen=True)
class Options:
    """How to measure; what each means is in `--help`."""

    data: str
    rounds: int
    seconds: int
    warm: int
    only: tuple[str, ...]
    heap: str
    integrity: bool
    ours_only: bool
    floor: bool
    keep: bool
    json: bool

    def wants(self, name: str) -> bool:
        return not self.only or name in self.only


class Contest:
    """The measurement: two servers, what they are asked, and a row for each thing."""

    def __init__(self, options: Options, resources: Sequence[Raw]) -> None:
        self.options = options
        self.resources = resources
        self.queries = [query for query in queries(resources) if options.wants(query.name)]
        shapes = {
            "start": Row("start", "from launch to the first CapabilityStatement", "s", 10, less_is_better=True),
            "load": Row("load", "first load by transactions of 100, HAPI cold", "resources/s", 3),
            "memory": Row("memory", "after load, RSS of all processes", "MB", 3, less_is_better=True),
            "pss": Row("memory, PSS", "after load, shared pages once", "MB", None, less_is_better=True),
            "end": Row("memory, at the end", "after all queries and creates, RSS", "MB", None, less_is_better=True),
            "export": Row("export", "$export of all, until its files are read", "resources/s", 10),
            "disk": Row("export, floor", "the same texts from the store to the disk", "resources/s", None),
        }
        self.rows = shapes | {query.name: Row(query.name, query.shape, "per second", query.goal) for query in self.queries}

    @contextmanager
    def run(self) -> Iterator[list[Side]]:
        """Start both, load them, see that they answer the same, warm them up, and measure; they run as long as the context is open.

        Raises Skipped and Broken.
        """
        with ExitStack() as stack:
            self._starts()
            sides = [stack.enter_context(server()) for server in self._servers()]
            self._note("start", [side.start for side in sides])
            if self.options.only != ("start",):
                self._load(sides)
            if self.options.wants("export"):
                self._export(sides)
            self._ask(sides, [query for query in self.queries if not query.writes])
            self._ask(sides, [query for query in self.queries if query.writes])
            self._note("end", [side.memory().rss for side in sides])
            if self.options.floor and sides[0].settings:
                self._floor(sides[0].settings)
            yield sides

    def shown(self) -> list[Row]:
        """The rows that were asked for, and have something."""
        asked = {"pss": "memory", "end": "memory", "disk": "export"}
        return [row for key, row in self.rows.items() if row.ours and (key == "floor" or self.options.wants(asked.get(key, key)))]

    def _servers(self) -> list[Callable[[], AbstractContextManager[Side]]]:
        integrity = self.options.integrity
        theirs = [] if self.options.ours_only else [lambda: servers.hapi(heap=self.options.heap, integrity=integrity)]
        return [lambda: servers.ours(integrity=integrity), *theirs]

    def _starts(self) -> None:
        """All starts but the last, after which the servers stay."""
        for turn in range(1, self.options.rounds if self.options.wants("start") else 1):
            say(f"start {turn} of {self.options.rounds}")
            took = []
            for server in self._servers():
                with server() as side:
                    took.append(side.start)
            self._note("start", took)

    def _load(self, sides: Sequence[Side]) -> None:
        bodies = transactions(self.resources)
        rates = []
        for side in sides:
            say(f"loading {len(self.resources)} resources into {side.name}")
            rates.append(len(self.resources) / load(side.url, bodies))
        self._note("load", rates)
        held = [side.memory() for side in sides]
        self._note("memory", [memory.rss for memory in held])
        if all(memory.pss for memory in held):
            self._note("pss", [memory.pss or 0 for memory in held])

    def _export(self, sides: Sequence[Side]) -> None:
        """All exported and read once a round, and once before that: Java gets faster by it."""
        say("waiting a minute: what is younger is exported by another way")
        time.sleep(LAG.total_seconds())
        types = sorted({resource_type(raw) for raw in self.resources})
        for turn in range(self.options.rounds + 1):
            rates = []
            for side in sides:
                done = bulk.export(side.url, types)
                say(f"export {turn}: {side.name} wrote for {done.written:.2f} s, all was read after {done.seconds:.2f} s")
                if (done.resources, done.doubled) != (len(self.resources), 0):
                    self.rows["export"].faults.append(f"{side.name}: {done.resources} resources were exported, {done.doubled} twice")
                rates.append(done.resources / done.seconds)
            if turn:
                self._note("export", rates)
                self._disk(sides[0].settings)

    def _disk(self, settings: Settings | None) -> None:
        """The same from the store to the disk alone, where the store is ours to open."""
        if settings:
            with TemporaryDirectory(prefix="casebridge-bench-") as folder, open_database(settings, notice=lambda _: None) as database:
                self._note("disk", [len(self.resources) / floor.to_disk(Repository(database), Path(folder, "texts"))])

    def _ask(self, sides: Sequence[Side], some: Sequence[Query]) -> None:
        """Compare, warm up and measure these queries."""
        for query in some:
            told = differences(sides[0].url, sides[1].url, query) if len(sides) > 1 else refused(sides[0].url, query)
            self.rows[query.name].faults += dict.fromkeys(told)
        for side in sides:
            warm(side, some, self.options.warm)
        for turn in range(self.options.rounds):
            for query in some:
                # Who is asked first changes with each round, so that what one leaves behind bears on both.
                for side in sides if turn % 2 == 0 else reversed(sides):
                    rate = wrk.measure(side.url, query.asks, self.options.seconds)
                    heard = f"{side.name} {rate.per_second:.1f}/s, p95 {rate.p95:.1f} ms"
                    say(f"round {turn + 1} of {self.options.rounds}, {query.name}: {heard}")
                    self.rows[query.name].take(rate, is_ours=side is sides[0])

    def _note(self, name: str, values: Sequence[float]) -> None:
        for place, value in zip((self.rows[name].ours, self.rows[name].theirs), values, strict=False):
            place.append(value)

    def _floor(self, settings: Settings) -> None:
        """The store alone, in a row that nothing is compared with."""
        keys = [(raw["resourceType"], raw["id"]) for raw in self.resources][:: max(1, len(self.resources) // 300)]
        self.rows["floor"] = Row("floor", f"the store's bare find_one, {wrk.CONNECTIONS} threads, no HTTP", "per second", None)
        for turn in range(self.options.rounds):
            say(f"the store alone, round {turn + 1} of {self.options.rounds}")
            self.rows["floor"].ours.append(floor.find_one(settings, keys, self.options.seconds))


def warm(side: Side, some: Sequence[Query], seconds: int) -> None:
    """Ask all queries in turn for at least so long, and on until they grow no faster; no longer than three times it.

    Once is enough where nothing is compiled while it runs. Writes are asked for a few seconds only: what they leave behind would weigh
    on what comes after, and the load has warmed them.
    """
    most = min(seconds, _WRITING) if any(query.writes for query in some) else seconds
    limit = most if side.compiles else 0
    began, before = time.monotonic(), 0.0
    while some:
        say(f"warming {side.name} up, {time.monotonic() - began:.0f} of at least {limit} s")
        level = statistics.geometric_mean([1 + wrk.measure(side.url, query.asks, _WARM_TURN).per_second for query in some])
        spent = time.monotonic() - began
        if spent >= limit and (level < before * _GROWN or spent >= 3 * limit):
            return
        before = level


def say(words: str) -> None:
    print(f"bench: {words} …", file=sys.stderr, flush=True)


def main() -> int:
    """0: measured, all goals reached, or skipped. 1: a goal was missed, or answers were not the same. 130: interrupted."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, and leaves no process behind
    options = arguments()
    try:
        wrk.installed()
        resources, before = in_order(map(parse, DATA[options.data]())), machine()
        contest = Contest(options, resources)
        with contest.run() as sides:
            rows = contest.shown()
            show(options, rows, {"resources": len(resources), "before": before, "after": machine()})
            if options.keep:
                keep(sides)
    except Skipped as reason:
        print(f"skipped: {reason}")
        return 0
    except Broken as reason:
        print(f"broken: {reason}")
        return 1
    except KeyboardInterrupt:
        say("interrupted; all processes have ended")
        return 130
    return int(any(row.faults or row.reached is False for row in rows))


def show(options: Options, rows: Sequence[Row], circumstances: dict[str, Any]) -> None:
    """Print the figures, for people or as JSON."""
    if options.json:
        print(json.dumps({"options": dataclasses.asdict(options), **circumstances, "rows": [row.to_json() for row in rows]}))
    else:
        before, after = circumstances["before"], circumstances["after"]
        print(f"{before['cores']} cores, Python {before['python']}, load {before['load']} before and {after['load']} after")
        print(
            f"{options.data}, {circumstances['resources']} resources; {wrk.CONNECTIONS} connections; medians of {options.rounds} rounds\n"
        )
        print(*lines(rows), sep="\n", flush=True)


def keep(sides: Sequence[Side]) -> None:
    """Let the servers run until Ctrl-C."""
    for side in sides:
        say(f"{side.name} stays at {side.url}, processes {[process.pid for process in side.processes()]}")
    say("Ctrl-C ends them")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def arguments() -> Options:
    """What the command line says."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.hapi",
        description="Compare casebridge with a HAPI server: both on this machine, the same data, the same client (wrk), in turns.",
        epilog="Needs wrk (Debian: apt-get install wrk), Java 17 and Maven, and says so where they are missing. CASEBRIDGE_DB names a "
        "MongoDB to use instead of the embedded store; a database of its own is made there, and dropped. "
        "Exit code: 0 all goals reached, 1 one was missed or the answers are not the same, 130 interrupted.",
    )
    parser.add_argument("--data", choices=DATA, default="synthea-s", help="3,923 resources, or about 20,000 (default: synthea-s)")
    parser.add_argument("--rounds", type=_positive, default=2, help="how often each is measured (default: 2)")
    parser.add_argument("--seconds", type=_positive, default=10, help="how long each time (default: 10)")
    parser.add_argument("--warm", type=int, default=180, help="seconds that the servers are warmed up, at least (default: 180)")
    parser.add_argument("--only", action="append", default=[], choices=(*BESIDE, *NAMES), help="measure this; may be repeated")
    parser.add_argument("--heap", default="1g", help="Java's limit of memory (default: 1g)")
    parser.add_argument("--integrity", action="store_true", help="both servers check that references lead somewhere; else neither does")
    parser.add_argument("--ours-only", action="store_true", help="casebridge alone, for profiling")
    parser.add_argument("--floor", action="store_true", help="also what the store does without HTTP")
    parser.add_argument("--keep", action="store_true", help="leave the servers running until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    given = vars(parser.parse_args())
    return Options(**{**given, "only": tuple(given["only"])})


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1 is needed")
    return number


if __name__ == "__main__":
    sys.exit(main())
