"""Requests to a remote under way beside the work here: as many at once as there are clients, each in a thread of its own."""

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

from adapter.fhir.client import FhirClient

K = TypeVar("K")
A = TypeVar("A")


class Lanes(Generic[K, A]):
    """To be used in a `with` block; its threads end with it, or with the process."""

    def __init__(self, clients: Sequence[FhirClient]) -> None:
        self._clients = clients
        self._asked: SimpleQueue[tuple[K, Callable[[FhirClient], A]] | None] = SimpleQueue()
        self._answered: SimpleQueue[tuple[K, A | BaseException]] = SimpleQueue()

    def __enter__(self) -> Self:
        for client in self._clients:
            Thread(target=self._serve, args=(client,), name="push", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _ in self._clients:
            self._asked.put(None)

    @property
    def width(self) -> int:
        """How many requests can be under way at once."""
        return len(self._clients)

    def ask(self, key: K, request: Callable[[FhirClient], A]) -> None:
        """Have a request carried out when a client is free; its answer comes under this key."""
        self._asked.put((key, request))

    def answer(self) -> tuple[K, A | BaseException]:
        """The next answer, in the order in which they come; an error as it was raised."""
        return self._answered.get()

    def _serve(self, client: FhirClient) -> None:
        while asked := self._asked.get():
            key, request = asked
            try:
                self._answered.put((key, request(client)))
            except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which raises it
                self._answered.put((key, error))
