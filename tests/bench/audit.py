"""What it costs that each access is written down before it is answered: the same requests to a server that does so, and not."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch
from uuid import uuid4

import flask
import psutil

from adapter.clock import utc_now
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.documents import Change
from adapter.store.repository import Repository
from server import create_app
from server.audit.account import Account
from server.auth.gate import Gate
from server.auth.principal import Principal
from tests.bench.figures import Figure, Report
from tests.bench.sides import Store, cpu, store, store_cpu

_PEOPLE, _ASKED, _AT_ONCE = 200, 100, 8
_ASKER = Principal("bench", "administrator", "system/*.cruds")
_ASKS: dict[str, Callable[[int], str]] = {
    "Patient/…": lambda number: f"Patient/p{number % _PEOPLE}",
    "Patient?active=true&_count=20": lambda number: f"Patient?active=true&_count={20 + number % 2}",
}


def run(rounds: int, say: Callable[[str], None]) -> list[Report]:
    """Each round asks everything in both ways; CPU time of this process and the store's, so that others on the machine bear on neither."""
    taken: dict[tuple[str, int], list[tuple[float, float]]] = {(name, width): [] for name in _ASKS for width in (1, _AT_ONCE)}
    faults: set[str] = set()
    with store() as client, TemporaryDirectory() as folder:
        repository = Repository(client[f"bench_{uuid4().hex}"])
        people = [{"resourceType": "Patient", "id": f"p{number}", "active": True} for number in range(_PEOPLE)]
        repository.commit([Change("Patient", raw["id"], raw, 0) for raw in people])
        keys = Keys(Path(folder) / "issuer")
        keys.make("ES384", utc_now())
        gate = Gate(repository, keys, fetch, limited=False)
        written = create_app(repository, exports=Path(folder), gate=gate)
        with patch.object(Account, "of_fhir", lambda _, handler: handler):
            silent = create_app(repository, exports=Path(folder), gate=gate)
        for turn in range(rounds + 1):
            say(f"audit: round {turn}")
            token = gate.registers.tokens.issue(_ASKER)
            for (name, width), found in taken.items():
                without, with_ = (_asked(client, app, token, name, width, faults) for app in (silent, written))
                if turn:
                    found.append((without, with_))
    figures = []
    for (name, width), found in taken.items():
        how = f"{name}, {width} at once" if width > 1 else name
        figures.append(Figure(f"{how}, not written down", "µs", [without for without, _ in found]))
        figures.append(Figure("to that, written down", "times", [with_ / without for without, with_ in found]))
    what = f"{_PEOPLE} patients; CPU time of a request, ours and the store's"
    return [Report("What the account of accesses costs", what, figures, sorted(faults))]


def _asked(client: Store, app: flask.Flask, token: str, name: str, width: int, faults: set[str]) -> float:
    """CPU microseconds of a request."""
    own = psutil.Process()
    headers = {"Authorization": f"Bearer {token}"}

    def ask(number: int) -> int:
        return app.test_client().get(f"/fhir/{_ASKS[name](number)}", headers=headers).status_code

    before = cpu(own) + store_cpu(client)
    if width == 1:
        told = {ask(number) for number in range(_ASKED)}
    else:
        with ThreadPoolExecutor(width) as pool:
            told = {*pool.map(ask, range(_ASKED))}
    if told != {200}:
        faults.add(f"{name} is answered {sorted(told)}")
    return (cpu(own) + store_cpu(client) - before) * 1_000_000 / _ASKED
