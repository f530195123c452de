"""What it costs to read a resource into a record and to write the record back, against the plainest thing one can do with its text."""

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice

from adapter.fhir.resource import Raw, dumps, parse
from adapter.mapping.registry import mapping_for
from tests.bench import data
from tests.bench.figures import Figure, Report, Skipped

# Resources at a time: the two works take turns often enough to meet the same machine, and what is parsed never fills the memory, where the
# garbage collector would look at it again and again.
_CHUNK = 200
GOAL = 5.0


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """The small set in several rounds, and the large one once."""
    name, texts = data.small()
    cost = _Cost()
    for turn in range(rounds):
        say(f"mapping: round {turn + 1} of {rounds} over {name}")
        cost.take(texts)
    reports = [cost.report(f"Mapping: extract and overlay, as a ratio to json.loads and json.dumps of the same text, on {name}")]
    try:
        large = data.large()
    except Skipped as reason:
        say(f"mapping: the large set is skipped, {reason}")
        return reports
    say("mapping: once over ../shared/synthea-a (a minute)")
    cost = _Cost()
    cost.take(large)
    return [*reports, cost.report("Mapping: the same on ../shared/synthea-a")]


class _Cost:
    """CPU seconds by type and round; what else runs on the machine takes no part in them."""

    def __init__(self) -> None:
        self.plain: list[dict[str, float]] = []
        self.ours: list[dict[str, float]] = []
        self.count: dict[str, int] = defaultdict(int)
        self.wrong = 0

    def take(self, texts: Iterable[bytes]) -> None:
        """One round over these resources, as far as they are mapped."""
        plain, ours, count = defaultdict[str, float](float), defaultdict[str, float](float), defaultdict[str, int](int)
        for chunk in _chunks(texts):
            by_type: dict[str, list[tuple[str, Raw]]] = defaultdict(list)
            for text in chunk:
                raw = parse(text)
                if mapping_for(raw):
                    by_type[raw["resourceType"]].append((text.decode(), raw))
            for type, pairs in by_type.items():
                plain[type] += _seconds(lambda pairs=pairs: _plain(pairs))  # type: ignore[misc]
                ours[type] += _seconds(lambda pairs=pairs: _ours(pairs))  # type: ignore[misc]
                count[type] += len(pairs)
                self.wrong += sum(_differs(text, raw) for text, raw in pairs)
        self.plain.append(plain)
        self.ours.append(ours)
        self.count = count

    def report(self, title: str) -> Report:
        overall = [sum(ours.values()) / sum(plain.values()) for ours, plain in zip(self.ours, self.plain, strict=True)]
        total = sum(self.count.values())
        each = [1e6 * sum(ours.values()) / total for ours in self.ours]
        figures = [Figure("all types", "times", overall, GOAL), Figure("one resource", "µs", each)]
        for type in sorted(self.count):
            ratios = [ours[type] / plain[type] for ours, plain in zip(self.ours, self.plain, strict=True)]
            figures.append(Figure(f"  {type} ({self.count[type]})", "times", ratios))
        differences = f"{self.wrong} resources do not come back as they were"
        return Report(title, f"{total} resources of mapped types, {differences}", figures, [differences] if self.wrong else [])


def _chunks(texts: Iterable[bytes]) -> Iterator[Iterable[bytes]]:
    rest = iter(texts)
    for first in rest:
        yield chain((first,), islice(rest, _CHUNK - 1))


def _seconds(work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _plain(pairs: list[tuple[str, Raw]]) -> None:
    for text, _ in pairs:
        json.dumps(json.loads(text))


def _ours(pairs: list[tuple[str, Raw]]) -> None:
    for _, raw in pairs:
        mapping = mapping_for(raw)
        if mapping:
            mapping.overlay(raw, mapping.extract(raw).fields)


def _differs(text: str, raw: Raw) -> bool:
    """Whether GetPut fails, as text. The text is parsed again: an overlay that wrote into what it was given would show."""
    mapping = mapping_for(raw)
    return mapping is not None and dumps(mapping.overlay(raw, mapping.extract(raw).fields)) != dumps(parse(text))
