"""Whole patients of ../shared/synthea-a, as many as make up a wished number of resources, with all that these refer to."""

import hashlib
import random
import re
from collections import Counter
from collections.abc import Iterable
from graphlib import TopologicalSorter

import zstandard

from adapter.fhir import references
from adapter.fhir.resource import Raw
from tests.bench import data
from tests.live.java import alone

ABOUT = 20_000
_SEED = 4
_REFERENCE = re.compile(rb'"reference":\s*"([A-Za-z]+/[A-Za-z0-9.-]+)"')
_KEY = re.compile(rb'^\{"resourceType":\s*"([A-Za-z]+)",\s*"id":\s*"([A-Za-z0-9.-]+)"')


def whole_patients(about: int = ABOUT) -> list[bytes]:
    """The resources, one text each; chosen once, then read from a cache. Raises Skipped where synthea-a is not there."""
    state = repr((about, _SEED, [(path.name, path.stat().st_size) for path in data.large_files()]))
    with alone(f"synthea-a-{hashlib.sha256(state.encode()).hexdigest()[:12]}") as folder:
        cached = folder / "resources.ndjson.zst"
        if not cached.exists():
            fresh = cached.with_suffix(".new")
            fresh.write_bytes(zstandard.ZstdCompressor().compress(b"\n".join(chosen(data.large, about))))
            fresh.rename(cached)
        return [line.rstrip(b"\n") for line in data.lines(cached)]


def chosen(texts: data.Readable, about: int) -> list[bytes]:
    """Of resources that can be read twice: those of as many patients as fit into `about`, in an order by chance that is always the same.

    Only what is chosen, and what belongs to no patient (a fiftieth of synthea-a), is held in memory.
    """
    counts = Counter(filter(None, map(_owner, texts())))
    patients, total = set(), 0
    for patient in random.Random(_SEED).sample(sorted(counts), len(counts)):
        if total + counts[patient] <= about:
            patients.add(patient)
            total += counts[patient]
    kept, others = [], {}
    for text in texts():
        owner = _owner(text)
        if owner in patients:
            kept.append(text)
        elif owner is None:
            others[_key(text)] = text
    wanted = _referred(kept)
    while wanted:
        found = [others.pop(key) for key in sorted(wanted & others.keys())]
        kept += found
        wanted = _referred(found)
    return kept


def in_order(resources: Iterable[Raw]) -> list[Raw]:
    """The resources, each behind all that it refers to: HAPI refuses a reference to what it does not have. Raises graphlib.CycleError."""
    by_key = {f"{raw['resourceType']}/{raw['id']}": raw for raw in resources}
    graph = {key: [link["reference"] for link in references.walk(raw) if link["reference"] in by_key] for key, raw in by_key.items()}
    return [by_key[key] for key in TopologicalSorter(graph).static_order()]


def _owner(text: bytes) -> bytes | None:
    """The patient whose record a resource is in, as a reference."""
    key = _key(text)
    if key.startswith(b"Patient/"):
        return key
    return next((reference for reference in _REFERENCE.findall(text) if reference.startswith(b"Patient/")), None)


def _key(text: bytes) -> bytes:
    found = _KEY.match(text)
    if found is None:
        raise ValueError("a resource does not begin with its type and id")
    return b"/".join(found.groups())


def _referred(texts: Iterable[bytes]) -> set[bytes]:
    return {reference for text in texts for reference in _REFERENCE.findall(text)}
