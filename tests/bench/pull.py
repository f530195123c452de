"""How long the first pull of a whole server takes, against a bare download of the same pages."""

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import requests

from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from tests.bench import data
from tests.bench.figures import Figure, Report
from tests.bench.sides import PAGE, bridge, fill, hospital, store

GOAL = 1.5
T = TypeVar("T")


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round: a bare download, a first pull into an empty database, a second pull, and, the other way round, a bare download again."""
    name, texts = data.small()
    with hospital() as server, store() as client:
        fill(server, data.ordered(texts), say)
        ratios, bares, firsts, seconds, faults = [], [], [], [], []
        types = _types(texts)
        _download(server.url, types)  # Java compiles what runs often: the first download of all is slower than any later one
        for turn in range(rounds):
            say(f"pull: round {turn + 1} of {rounds}")
            with bridge(client, server.url) as ours:
                before, count = _timed(lambda: _download(server.url, types))
                first, certificate = _timed(lambda ours=ours: _pull(ours))  # type: ignore[misc]
                second, again = _timed(lambda ours=ours: _pull(ours))  # type: ignore[misc]
                after, _ = _timed(lambda: _download(server.url, types))
            faults += _faults(certificate, again, count, len(texts))
            bare = (before + after) / 2
            bares.append(bare)
            firsts.append(first)
            seconds.append(second)
            ratios.append(first / bare)
    figures = [
        Figure("first pull, ratio to the bare download", "times", ratios, GOAL),
        Figure("first pull", "s", firsts),
        Figure("bare download", "s", bares),
        Figure("second pull, nothing new", "s", seconds),
        Figure("first pull, resources a second", "", [len(texts) / first for first in firsts]),
    ]
    what = f"{len(texts)} resources of {len(types)} types ({name}) on HAPI, pages of {PAGE}"
    return [Report("Pull: all of a server into an empty database", what, figures, faults)]


def _types(texts: Iterable[bytes]) -> list[str]:
    return sorted({raw["resourceType"] for raw in data.ordered(list(texts))})


def _download(url: str, types: list[str]) -> int:
    """Download every page of these types and do nothing with it; returns how many resources there were."""
    count = 0
    with requests.Session() as session:
        session.headers.update({"Accept": "application/fhir+json", "Cache-Control": "no-cache"})
        for type in types:
            page: str | None = f"{url}/{type}?_count={PAGE}&_sort=_lastUpdated"
            while page:
                answer = session.get(page, timeout=60)
                answer.raise_for_status()
                body: dict[str, Any] = answer.json()
                count += len(body.get("entry", ()))
                page = next((link["url"] for link in body["link"] if link["relation"] == "next"), None)
    return count


def _pull(ours: Bridge) -> Certificate:
    return ours.sync("hospital", push=False, say=lambda _: None)


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _faults(first: Certificate, second: Certificate, downloaded: int, total: int) -> list[str]:
    """What was not as it must be, so that nobody praises the speed of work not done."""
    created = first.pulled.total("create")
    checks = {
        f"the first pull made {created} of {total} resources": created == total,
        f"the bare download found {downloaded} of {total} resources": downloaded == total,
        "a certificate does not hold": first.clean and second.clean,
        f"the second pull made {second.pulled.total('create')} resources": second.pulled.total("create") == 0,
    }
    return [fault for fault, fine in checks.items() if not fine]
