"""`python -m tests.bench`: measure, and say whether the goals are reached."""

import argparse
import json
import sys
from collections.abc import Callable

from tests.bench import audit, export, load, mapping, pull, push, sight, workers, worklist
from tests.bench.figures import Report, Skipped, machine

WHAT: dict[str, tuple[Callable[[int, Callable[[str], None]], list[Report]], str]] = {
    "audit": (audit.run, "what it costs that each access is written down: requests to those of a server that does not"),
    "mapping": (mapping.run, "CPU time of extract + overlay as a ratio to json.loads + json.dumps; checks GetPut on every resource"),
    "load": (load.run, "import of NDJSON files as a ratio to a bare insert_many of the same documents into the same store"),
    "export": (export.run, "an export of a whole database as a ratio to a bare find whose texts are written to the disk"),
    "pull": (pull.run, "first pull of all of a HAPI server as a ratio to a bare download of the same pages, and a second pull"),
    "push": (push.run, "push to an empty HAPI server as a ratio to a bare client that sends the same requests"),
    "sight": (sight.run, "what it costs that a reader sees some patients only: searches and reads by an insurer to those of everything"),
    "workers": (workers.run, "one NDJSON file imported by one process, by one worker, and by two that share it (needs redis-server)"),
    "worklist": (worklist.run, "worklist and caseload among 1,000, 10,000 and 100,000 cases, and the readmission measure over them"),
}


def say(words: str) -> None:
    print(f"bench: {words} …", file=sys.stderr, flush=True)


def main() -> int:
    """0: measured, all goals reached. 1: a goal was missed or the work was not done right. Skipping is no failure."""
    what = "\n".join(f"  {name:9}{text}" for name, (_, text) in WHAT.items())
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description=f"Measure what casebridge publishes. Ratios are taken within a round, so a busy machine bears on both sides.\n\n{what}",
        epilog="load, pull and push start an embedded store (CASEBRIDGE_DB: another), pull and push a HAPI server too (Java 17, Maven). "
        "Exit code: 0 all goals reached, 1 one was missed or the work was not done right. What cannot be run here is said and skipped.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("what", nargs="*", metavar="|".join(WHAT), help="what to measure; all of it if nothing is named")
    parser.add_argument("--rounds", type=int, default=5, help="how often (default: 5)")
    parser.add_argument("--json", action="store_true", help="the figures as JSON instead of tables")
    wanted = parser.parse_args()
    if unknown := [name for name in wanted.what if name not in WHAT]:
        parser.error(f"there is no measurement {unknown[0]}; there are {', '.join(WHAT)}")
    if wanted.rounds < 1:
        parser.error("at least one round is needed")
    before, reports, skipped = machine(), [], {}
    for name in wanted.what or WHAT:
        try:
            reports += WHAT[name][0](wanted.rounds, say)
        except Skipped as reason:
            skipped[name] = str(reason)
    after = machine()
    if wanted.json:
        print(json.dumps({"before": before, "after": after, "reports": [report.to_json() for report in reports], "skipped": skipped}))
    else:
        print(f"{before['cores']} cores, Python {before['python']}, load {before['load']} before and {after['load']} after")
        for report in reports:
            print("", *report.lines(), sep="\n")
        for name, reason in skipped.items():
            print(f"\n{name} is skipped: {reason}")
    return int(any(report.faults or not all(figure.reached for figure in report.figures) for report in reports))


if __name__ == "__main__":
    sys.exit(main())
