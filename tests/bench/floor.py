"""What the store alone can do, without HTTP and without us: the most that a read by id can come to."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle

from adapter.config import Settings
from adapter.store.connect import open_database
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
