"""Worlds of a seed, asked through every door and compared with the rule."""

import re
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from pymongo.database import Database

from .doors import casework, exports, histories, joins, notifications, operations, packets, pages, reads, searches, writes
from .stage import Difference, Stage, policies
from .worlds import world

DOORS = (reads, searches, joins, histories, operations, packets, exports, notifications, casework, pages, writes)
"""In the order in which they are asked: what writes comes last."""


def differences(database: Database[Any], seed: int, numbers: Sequence[int]) -> Iterator[str]:
    """What is found otherwise than the rule says in worlds that are stored together in an empty database; of each world the first."""
    with tempfile.TemporaryDirectory(prefix="casebridge-worlds-") as folder, policies(Path(folder)):
        stage = Stage(database, Path(folder) / "exports", {number: world(seed, number) for number in numbers})
        for number in numbers:
            chance = Random(f"{seed} {number} asked")
            try:
                told = stage.told(number)
                for door in DOORS:
                    door.ask(told, chance)
            except Difference as found:
                yield f"world {number} of seed {seed}: {found}"
            except Exception:  # noqa: BLE001 - whatever a door does not answer is a difference, and the other worlds are still to be asked
                yield f"world {number} of seed {seed}: {re.sub(r'(?m)^', '  ', traceback.format_exc(limit=-4))}"
