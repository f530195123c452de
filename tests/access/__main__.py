"""Isolation in as many random worlds as are asked for: exit code 1 where any door shows something else than may be seen."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from adapter.config import Settings
from adapter.store.connect import open_database
from adapter.store.embedded import embedded_store

from .compare import differences

TOGETHER = 20
"""Worlds in one database: more of them make each question dearer, fewer the indexes."""
# A store is begun anew after so many: its databases are not dropped one by one.
_STORE = 1000


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.access", description=__doc__)
    parser.add_argument("--worlds", type=int, default=300, help="how many (default: 300)")
    parser.add_argument("--seed", type=int, default=1, help="of which the worlds are made (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="the first of them, to go on where another run was ended (default: 0)")
    given = parser.parse_args()
    began, done, bad = time.monotonic(), given.first, 0
    try:
        for done, several in _runs(given.seed, given.first, given.first + given.worlds):
            for each in several:
                bad += 1
                print(each, flush=True)
            seconds = time.monotonic() - began
            print(f"{done - given.first} of {given.worlds} worlds, {bad} with a difference, {seconds:.0f} s", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        left = given.first + given.worlds - done
        raise SystemExit(f"Ended after {done} worlds; go on with --seed {given.seed} --first {done} --worlds {left}.") from None
    print(f"{given.worlds} worlds of seed {given.seed}, {bad} with a difference.")
    sys.exit(bool(bad))


def _runs(seed: int, first: int, end: int) -> Iterator[tuple[int, list[str]]]:
    """Up to which world all are asked, and what differed in the last of them."""
    for start in range(first, end, _STORE):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="casebridge-worlds-")))
            uri = stack.enter_context(embedded_store(folder / "store", notice=lambda _: None))
            database = stack.enter_context(open_database(Settings(db=uri, database="unused", home=folder, log_level="ERROR")))
            for lowest in range(start, min(end, start + _STORE), TOGETHER):
                highest = min(end, lowest + TOGETHER)
                yield highest, [*differences(database.client[f"worlds_{lowest}"], seed, range(lowest, highest))]


if __name__ == "__main__":
    main()
