"""A register of who may ask, by name: written by an administrator, read for each request. Who is disabled keeps the name for the record."""

from collections.abc import Iterator
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from adapter.clock import Clock
from adapter.errors import Conflict, NotFound
from adapter.store.documents import Document
from server.auth.tokens import Tokens


class Entry(Protocol):
    """A dataclass of who is registered. Its lists are tuples; in the store they are lists."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def disabled(self) -> bool:
        """Whether they are let in no more."""


Of = TypeVar("Of", bound=Entry)


class Register(Generic[Of]):
    """One register of a store: a collection, of which `key` is the id."""

    kind: ClassVar[str]
    """The collection; without its last letter the word by which one of it is called."""
    key: ClassVar[str] = "name"
    of: type[Of]

    def __init__(self, tokens: Tokens, clock: Clock) -> None:
        self._tokens, self._state, self._clock = tokens, tokens.state, clock

    def find(self, name: str) -> Of | None:
        """Who goes by that name, None where they are not registered or are disabled."""
        held = self._state.get(self.kind, name)
        return None if held is None or held["disabled"] else self._read(name, held)

    def all(self) -> Iterator[Of]:
        """All of them, disabled ones too, by name."""
        for name, held in self._state.all(self.kind):
            yield self._read(name, held)

    def disable(self, name: str) -> None:
        """Let them in no more: what they have ends at once. Raises NotFound."""
        self._change(name, disabled=True)
        self._end(name)

    def _check(self, entry: Of) -> None:
        """Raise Invalid for what cannot be registered."""
        raise NotImplementedError

    def _end(self, name: str) -> None:
        """End the tokens and sessions that they have."""
        raise NotImplementedError

    def _add(self, entry: Of, **more: Any) -> None:
        """Register one, with what is kept of them besides. Raises Invalid, and Conflict for a name that is taken."""
        self._check(entry)
        body = {name: [*value] if isinstance(value, tuple) else value for name, value in vars(entry).items() if name != self.key}
        if not self._state.add(self.kind, getattr(entry, self.key), {**body, **more, "made": self._clock()}):
            raise Conflict(f"There is a {self._one} of this {self.key}; a disabled one keeps it for the record.")

    def _held(self, name: str) -> Document:
        held = self._state.get(self.kind, name)
        if held is None:
            raise NotFound(f"There is no {self._one} of this {self.key}: `casebridge {self._one} list` shows those that there are.")
        return held

    def _change(self, name: str, **values: Any) -> None:
        """Change what is kept, and nothing that another changed meanwhile. Raises NotFound, Invalid."""
        while True:
            held = self._held(name)
            changed = {**held, **values}
            # Whoever is let in no more need not be in order, or they could not be kept out.
            if not changed["disabled"]:
                self._check(self._read(name, changed))
            if self._state.swap(self.kind, name, held, changed):
                return

    def _read(self, name: str, held: Document) -> Of:
        known = {
            key: tuple(value) if isinstance(value, list) else value for key, value in held.items() if key in self.of.__dataclass_fields__
        }
        return self.of(**{**known, self.key: name})

    @property
    def _one(self) -> str:
        return self.kind.removesuffix("s")
