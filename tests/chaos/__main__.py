"""`make chaos`: runs with seeds of their own against a real HAPI; a table, and exit code 1 where anything was lost or doubled."""

import argparse
import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.run import Verdict, run
from tests.live.hapi import Hapi
from tests.live.java import JavaError

_COLUMNS = ("seed", "made", "edited", "deleted", "syncs", "kills", "faults", "conflicts")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=10, help="how many, each with the next seed (default: 10)")
    parser.add_argument("--seed", type=int, default=1, help="the first seed (default: 1)")
    parser.add_argument("--seconds", type=float, default=120, help="of storm in each (default: 120)")
    parser.add_argument("--json", action="store_true", help="each run as a line of JSON")
    given = parser.parse_args()
    bad = False
    with ExitStack() as stack:
        try:
            hapi = stack.enter_context(Hapi.start())
        except JavaError as error:
            raise SystemExit(str(error)) from None
        if not given.json:
            print("  ".join(f"{column:>9}" for column in _COLUMNS), flush=True)
        for seed in range(given.seed, given.seed + given.runs):
            hapi.empty()
            with tempfile.TemporaryDirectory(prefix="casebridge-chaos-") as folder:
                verdict = run(hapi.url, Path(folder), seed=seed, seconds=given.seconds)
            bad |= bool(verdict.problems)
            _show(verdict, as_json=given.json)
    sys.exit(bad)


def _show(verdict: Verdict, *, as_json: bool) -> None:
    row = verdict.row()
    if as_json:
        print(json.dumps({**row, "weather": dict(verdict.faults)}), flush=True)
        return
    print("  ".join(f"{row.get(column, 0):>9}" for column in _COLUMNS), flush=True)
    for problem in verdict.problems:
        print(f"    {problem}", flush=True)


if __name__ == "__main__":
    main()
