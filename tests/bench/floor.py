"""What the store alone can do, without HTTP and without us: the most that a read by id, and an export, can come to."""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path

from adapter.config import Settings
from adapter.store.connect import open_database
from adapter.store.repository import Repository
from tests.bench.wrk import CONNECTIONS


def find_one(settings: Settings, keys: Sequence[tuple[str, str]], seconds: int, threads: int = CONNECTIONS) -> float:
    """Bare reads of a whole document by (type, id), per second, by so many threads of this process."""
    with open_database(settings, notice=lambda _: None) as database, ThreadPoolExecutor(threads) as pool:
        ends = time.monotonic() + seconds

        def read() -> int:
            count = 0
            for type, id in cycle(keys):
                if time.monotonic() > ends:
                    return count
                if database[type].find_one({"_id": id}) is None:
                    raise LookupError(f"{type}/{id} is not in the store")
                count += 1
            return count

        return sum(each.result() for each in [pool.submit(read) for _ in range(threads)]) / seconds


def to_disk(repository: Repository, folder: Path) -> float:
    """The seconds in which the texts of all types come out of the store and to the disk, a file each in a new folder."""
    folder.mkdir()
    began = time.perf_counter()
    for type in repository.types():
        with (folder / f"{type}.ndjson").open("wb") as file:
            for document in repository.collection(type).find({"fhir.deleted": False}, {"fhir.raw": 1}):
                file.write(document["fhir"]["raw"].encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    return time.perf_counter() - began
