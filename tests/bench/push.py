"""How long it takes to push the two case stories to a server that has nothing."""

import time
from collections.abc import Callable

from adapter.cases.story import parse as story_of
from adapter.fhir.resource import parse
from adapter.store.casework import load_story
from tests.bench.figures import Figure, Report
from tests.bench.sides import bridge, hospital, store
from tests.mapping.data import FIXTURES

_STORIES = ("river", "alma")


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round: live the stories in an empty database, then push to the emptied server; one round before is not counted."""
    stories = [story_of(parse((FIXTURES / "cases" / f"{name}.json").read_bytes())) for name in _STORIES]
    loads, pushes, counts, faults = [], [], [], []
    with hospital() as server, store() as client:
        for turn in range(rounds + 1):
            say(f"push: round {turn} of {rounds}" if turn else "push: a round to warm up")
            server.empty()
            with bridge(client, server.url) as ours:
                began = time.perf_counter()
                for story in stories:
                    load_story(ours.repository, story)
                lived = time.perf_counter()
                certificate = ours.sync("hospital", pull=False, say=lambda _: None)
                ended = time.perf_counter()
                owed = len(list(ours.repository.owed("hospital")))
            if not certificate.clean or owed:
                faults.append(f"round {turn}: {owed} resources were not pushed")
            if turn:
                loads.append(lived - began)
                pushes.append(ended - lived)
                counts.append(certificate.pushed.total("create"))
    figures = [
        Figure("push", "s", pushes),
        Figure("resources a second", "", [count / seconds for count, seconds in zip(counts, pushes, strict=True)]),
        Figure("loading the stories, before", "s", loads),
    ]
    return [Report("Push: the two stories to an empty server", f"{counts[0]} resources, in transactions", figures, faults)]
