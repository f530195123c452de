"""Whether two servers answer the same, before their speed is compared: the same resources, the same matches, pages of one size."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import requests

from adapter.fhir.resource import Raw, dumps, parse
from tests.bench.queries import Query
from tests.bench.wrk import HEADERS, Ask

SAMPLE = 20
"""Requests of a query that are compared."""
_SEED = 4
_TIMEOUT = 120


@dataclass(frozen=True)
class _Found:
    """What there is to compare in an answer."""

    status: int
    total: int | None
    size: int
    """Entries on the first page."""
    resources: frozenset[str]
    """`Type/id` of those on the first page, where it is the only one: which come first is each server's choice."""
    text: str
    """The resource itself, without meta and narrative, which servers write anew."""


def differences(one: str, other: str, query: Query) -> list[str]:
    """What is not the same in the answers of the servers at these two URLs to a sample of a query's requests, one line each."""
    some = random.Random(_SEED).sample(query.asks, min(SAMPLE, len(query.asks)))
    return [line for ask in some for line in _told(query, _ask(one, ask), _ask(other, ask))]


def refused(url: str, query: Query) -> list[str]:
    """Which answers of one server to a sample of the requests are no success."""
    some = random.Random(_SEED).sample(query.asks, min(SAMPLE, len(query.asks)))
    return [f"{query.name}: answered {found.status}" for ask in some if not 200 <= (found := _ask(url, ask)).status < 300]


def _told(query: Query, left: _Found, right: _Found) -> list[str]:
    if not all(200 <= found.status < 300 for found in (left, right)):
        return [f"{query.name}: answered {left.status} and {right.status}"]
    pairs = {
        "matches in all": (left.total, right.total),
        "entries on the first page": (left.size, right.size),
        "resources not on both": (len(left.resources - right.resources), len(right.resources - left.resources)),
        "size of the resource": (len(left.text), len(right.text)),
    }
    told = [f"{query.name}: {what}: {of_left} and {of_right}" for what, (of_left, of_right) in pairs.items() if of_left != of_right]
    same = left.text == right.text or len(left.text) != len(right.text)
    return told if same else [*told, f"{query.name}: the resource is not the same"]


def _ask(url: str, ask: Ask) -> _Found:
    # Both are asked to count here, and only here: a server need not do it for each search.
    counted = "&_total=accurate" if "?" in ask.path and "$" not in ask.path else ""
    body = ask.body.encode() if ask.body else None
    answer = requests.request(ask.method, f"{url}/{ask.path}{counted}", data=body, headers=HEADERS, timeout=_TIMEOUT)
    raw = parse(answer.content) if answer.content and answer.ok else {}
    if raw.get("resourceType") != "Bundle":
        return _Found(answer.status_code, None, 0, frozenset(), _content(raw, ask.method))
    entries: Sequence[dict[str, Any]] = raw.get("entry", ())
    only = all(link["relation"] != "next" for link in raw.get("link", ()))
    names = frozenset(f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries) if only else frozenset()
    total = raw.get("total") if counted else None
    return _Found(answer.status_code, total, len(entries), names, "")


def _content(raw: Raw, method: str) -> str:
    own = {"meta", "text"} | ({"id"} if method == "POST" else set())
    return dumps({name: raw[name] for name in sorted(raw.keys() - own)})
