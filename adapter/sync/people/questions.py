"""What only a person can say about who is who: asked once about two of our resources, and asked again only if their identifiers change."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pymongo.client_session import ClientSession

from adapter.clock import Clock
from adapter.errors import Invalid, NotFound
from adapter.fhir.resource import Raw
from adapter.store.documents import Document
from adapter.store.state import State
from adapter.sync.people.identity import identifiers

# What a remote said of two of its own is noted first, until a sync has both here and knows whether it has to be asked.
OPEN, NOTED = "open", "noted"
MERGED, SEE = "the remote merged the second into the first", "the remote says of one to see the other too"


@dataclass(frozen=True)
class Doubt:
    """Two of our resources that may be one. `here` was first, or is the one that is to stay."""

    here: str
    """Type/id"""
    other: str
    """Type/id"""
    why: str
    mark: str
    """Of what identifies the two: an answer holds while it stays the same."""
    ours: tuple[str, ...] = ()
    """Of two that a remote merged, those to whom something made here referred before the remote led it elsewhere."""

    @property
    def id(self) -> str:
        """Of the two, whichever comes first."""
        return pair_id(self.here, self.other)


def pair_id(*references: str) -> str:
    """A short name for some references, whatever their order. With 64 bits a million of them are different."""
    return hashlib.sha256(" ".join(sorted(references)).encode()).hexdigest()[:16]


def mark(sides: Sequence[Raw]) -> str:
    """Changes with the identifiers of either side; nothing can be read from it."""
    told = sorted(repr(sorted(identifiers(raw).items())) for raw in sides)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


class Questions:
    """Those that are open, and those that were answered."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state, self._clock = state, clock

    def ask(self, doubt: Doubt, remote: str = "", session: ClientSession | None = None) -> None:
        """Keep a question, which one remote raised or all do, unless it is open already or was answered of the same identifiers."""
        known = self._state.get("questions", doubt.id, session)
        if known and (known["status"] in (OPEN, NOTED) or known["mark"] == doubt.mark):
            return
        body = {"here": doubt.here, "other": doubt.other, "why": doubt.why, "mark": doubt.mark, "remote": remote, "ours": [*doubt.ours]}
        earlier = [*known["earlier"], known["answer"]] if known else []
        self._state.put(
            "questions",
            doubt.id,
            {**body, "status": NOTED if doubt.why in (MERGED, SEE) else OPEN, "asked": self._clock(), "earlier": earlier},
            session,
        )

    def all(self, status: str | None = OPEN) -> Iterator[tuple[str, Document]]:
        """Questions with their ids; None for all of them."""
        yield from self._state.all("questions", {"status": status} if status else {})

    def get(self, id: str) -> Document:
        """One question. Raises NotFound."""
        found = self._state.get("questions", id)
        if found is None:
            raise NotFound(f"There is no question {id}; `casebridge people questions` shows those that are open.")
        return found

    def find(self, id: str) -> Document | None:
        """One question, None where it was never asked."""
        return self._state.get("questions", id)

    def open(self, id: str) -> None:
        """Ask what was only noted."""
        self._state.put("questions", id, {**self.get(id), "status": OPEN})

    def drop(self, id: str) -> None:
        """Take a question back."""
        self._state.drop("questions", id)

    def waiting(self, remote: str) -> set[str]:
        """Those of ours of whom a person has yet to say if they are one that a remote has."""
        return {question["here"] for _, question in self._state.all("questions", {"remote": {"$in": [remote, ""]}, "status": OPEN})}

    def open_for(self, remote: str) -> Iterator[Document]:
        """Those that a person has yet to answer and this remote raised, or that are about all remotes."""
        return (found for _, found in self._state.all("questions", {"remote": {"$in": [remote, ""]}, "status": OPEN}))

    def answer(self, id: str, answer: str, *, by: str, session: ClientSession | None = None) -> None:
        """Keep what a person says. Raises NotFound, or Invalid where that has been said already."""
        found = self.get(id)
        if found["status"] in (answer, "same"):
            how = f"; `casebridge people split {id}` takes their link back" if found["status"] == "same" else ""
            raise Invalid(f"This question is answered already: they are {found['status']}{how}.")
        said = {"answer": answer, "by": by, "at": self._clock()}
        self._state.put("questions", id, {**found, "status": answer, "answer": said}, session)

    def settle(self, id: str, loser: str, by: str, session: ClientSession) -> None:
        """Two were linked: their question, if there is one, is answered; others about the one that gave way are taken back."""
        known = self._state.get("questions", id, session)
        if known and known["status"] != "same":
            self.answer(id, "same", by=by, session=session)
        for other, found in list(self.all()):
            if other != id and loser in (found["here"], found["other"]):
                self._state.drop("questions", other, session=session)

    def keep_apart(self, doubt: Doubt, by: str, session: ClientSession) -> None:
        """Remember that two are different, whether or not that was asked."""
        known = self._state.get("questions", doubt.id, session)
        said = {"answer": "different", "by": by, "at": self._clock()}
        body = {
            "here": doubt.here,
            "other": doubt.other,
            "why": doubt.why,
            "mark": doubt.mark,
            "remote": "",
            "asked": said["at"],
            "earlier": [],
        }
        self._state.put(
            "questions", doubt.id, {**body, **(known or {}), "mark": doubt.mark, "status": "different", "answer": said}, session
        )
