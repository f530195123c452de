"""How long it takes to push to a server that has nothing, against a bare client that sends it the same requests."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests

from adapter.cases.story import parse as story_of
from adapter.casework.stories import load_story
from adapter.fhir.resource import Raw, parse
from adapter.store.documents import Change
from adapter.sync.bridge import Bridge
from tests.bench import data
from tests.bench.figures import Figure, Report
from tests.bench.sides import Store, bridge, hospital, store
from tests.live.hapi import Hapi
from tests.mapping.data import FIXTURES

GOAL = 1.2
_STORIES = ("river", "alma")
_MANY = 1000
_AT_ONCE = 200
_REFERENCE = re.compile(rb'("reference":")([A-Z][A-Za-z]+/[A-Za-z0-9.-]{1,64})"')
Sent = tuple[requests.PreparedRequest, bytes]
"""A request, and the body of its answer."""


@dataclass(frozen=True)
class _Round:
    """One push, and the same requests sent barely."""

    count: int
    seconds: float
    cpu: float
    """Of our process, the store's not counted."""
    bare: float
    fault: str


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round: fill an empty database, push to the emptied server, empty it again, send it the same; one round before is not counted."""
    name, texts = data.small()
    many = data.ordered(texts)[:_MANY]
    stories = [story_of(parse((FIXTURES / "cases" / f"{each}.json").read_bytes())) for each in _STORIES]

    def live(ours: Bridge) -> None:
        for story in stories:
            load_story(ours.repository, story)

    sets: dict[str, Callable[[Bridge], None]] = {"the two stories": live, f"the first of {name}": lambda ours: _make(ours, many)}
    with hospital() as server, store() as client:
        return [_report(what, fill, server, client, rounds, say) for what, fill in sets.items()]


def _make(ours: Bridge, resources: list[Raw]) -> None:
    for start in range(0, len(resources), _AT_ONCE):
        ours.repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in resources[start : start + _AT_ONCE]])


def _report(what: str, fill: Callable[[Bridge], None], server: Hapi, client: Store, rounds: int, say: Callable[[str], None]) -> Report:
    done = []
    for turn in range(rounds + 1):
        say(f"push of {what}: round {turn} of {rounds}" if turn else f"push of {what}: a round to warm up")
        done.append(_round(fill, server, client))
    counted = done[1:]
    figures = [
        Figure("ratio to the bare requests", "times", [each.seconds / each.bare for each in counted], GOAL),
        Figure("push", "s", [each.seconds for each in counted]),
        Figure("push, CPU of our process a resource", "ms", [1000 * each.cpu / each.count for each in counted]),
        Figure("bare requests", "s", [each.bare for each in counted]),
        Figure("resources a second", "", [each.count / each.seconds for each in counted]),
    ]
    return Report(f"Push: {what} to an empty server", f"{done[0].count} resources", figures, [each.fault for each in done if each.fault])


def _round(fill: Callable[[Bridge], None], server: Hapi, client: Store) -> _Round:
    server.empty()
    with bridge(client, server.url) as ours:
        fill(ours)
        with _watched() as sent:
            began, worked = time.perf_counter(), time.process_time()
            certificate = ours.sync("hospital", pull=False, say=lambda _: None)
            seconds, cpu = time.perf_counter() - began, time.process_time() - worked
        owed = len(list(ours.repository.owed("hospital")))
    server.empty()
    bare, refused = _barely(sent)
    faults = {f"{owed} resources were not pushed": owed or not certificate.clean, f"{refused} of the bare requests were refused": refused}
    fault = "; ".join(text for text, wrong in faults.items() if wrong)
    return _Round(certificate.pushed.total("create"), seconds, cpu, bare, fault)


@contextmanager
def _watched() -> Iterator[list[Sent]]:
    """Every request that is made meanwhile, with its answer."""
    sent: list[Sent] = []
    send = requests.Session.send

    def watched(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = send(self, request, **options)
        sent.append((request, answer.content))
        return answer

    requests.Session.send = watched  # type: ignore[method-assign]
    try:
        yield sent
    finally:
        requests.Session.send = send  # type: ignore[method-assign]


def _barely(sent: list[Sent]) -> tuple[float, int]:
    """The seconds that the same requests take, one after the other, and how many are refused.

    The ids that the server gives now are put where those stood that it gave then; that is not counted.
    """
    seconds, refused, ids = 0.0, 0, dict[bytes, bytes]()
    with requests.Session() as session:
        for request, before in sent:
            body = request.body if isinstance(request.body, bytes) else None
            again = request.copy()
            if body:
                again.prepare_body(_turned(body, ids), None)
            began = time.perf_counter()
            answer = session.send(again, timeout=600)
            content = answer.content
            seconds += time.perf_counter() - began
            refused += not answer.ok
            ids |= dict(zip(_places(before), _places(content), strict=True)) if body else {}
    return seconds, refused


def _turned(body: bytes, ids: dict[bytes, bytes]) -> bytes:
    return _REFERENCE.sub(lambda found: found[1] + ids.get(found[2], found[2]) + b'"', body)


def _places(content: bytes) -> list[bytes]:
    """Type/id of each entry that an answer tells the place of."""
    found: list[bytes] = []
    for entry in parse(content).get("entry") or ():
        location = (entry.get("response") or {}).get("location")
        if location:
            found.append(location.partition("/_history")[0].encode())
    return found
