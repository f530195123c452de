"""A push, sent by workers side by side: its plan is cut into waves in which nobody waits for another, and a wave into slices.

A slice is ids: whoever sends it plans what they are about anew, from what is stored by then. What a worker could not bring to an end, who
asked tries once more, so the same error ends a push with workers as without. What fits in a slice, who asked sends.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count

from adapter.store.documents import Document
from adapter.sync.plan import SENT, Entry
from adapter.sync.pushing.order import waves
from adapter.sync.pushing.push import Pusher
from adapter.sync.pushing.send import Sender
from adapter.sync.workers.shared import Shared

# Requests to a slice: fewer, and the connection that each needs would count; more, and the last worker would be waited for longer.
_REQUESTS = 8


def send(shared: Shared, pusher: Pusher, sender: Sender, entries: Sequence[Entry]) -> None:
    """Carry out the entries, given in their order; the sender's `ends` says what became of each, also where an error is raised."""
    sender.carry_out(entry for entry in entries if entry.action not in SENT)
    writes, deletions = ([entry for entry in entries if entry.action in actions] for actions in (("create", "update"), ("delete",)))
    numbers = count(1)
    for wave in [*waves(writes), *reversed(waves(deletions))]:
        slices = [*_cut(wave, _REQUESTS * sender.size)]
        if len(slices) == 1:
            sender.carry_out(slices[0])
            continue
        named = {f"push:{next(numbers)}": some for some in slices}
        done = shared.done("push", {name: {"entries": [[entry.reference, entry.action] for entry in named[name]]} for name in named})
        left = [entry for name, some in named.items() for entry in _left(sender, some, done[name])]
        sender.carry_out(pusher.plan_of(stored for entry in left if (stored := pusher.repository.find(entry.type, entry.id))))
    sender.conclude()


def _cut(wave: list[list[Entry]], size: int) -> Iterator[list[Entry]]:
    """The groups in slices of about so many entries."""
    some: list[Entry] = []
    for group in wave:
        if some and len(some) + len(group) > size:
            yield some
            some = []
        some = [*some, *group]
    yield some


def _left(sender: Sender, entries: Sequence[Entry], done: Document) -> list[Entry]:
    """Learn what became of a slice; what a worker did not bring to an end."""
    ends = {reference: rest for reference, *rest in done.get("ends", ())}
    left = {*done.get("left", ())} | {entry.reference for entry in entries if entry.reference not in ends}
    for entry in entries:
        if entry.reference in ends:
            action, reason, there = ends[entry.reference]
            sender.took(replace(entry, action=action, reason=reason, there=there))
    return [entry for entry in entries if entry.reference in left]


def result(sender: Sender, planned: Sequence[tuple[str, str]], *, again: bool) -> Document:
    """What became of a slice, given as our Type/id and what was planned, for who asked; `again` where somebody was at it before.

    What is found done then, was done by that one.
    """
    ends = [
        [reference, action if again and end.action == "unchanged" else end.action, end.reason, end.there]
        for reference, action in planned
        if (end := sender.ends.get(reference))
    ]
    return {"ends": ends, "left": [*sender.outstanding(reference for reference, _ in planned)]}
