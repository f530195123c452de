"""The certificates of all syncs, kept; and as they are filed: JSON with a checksum of its own text."""

from hashlib import sha256
from importlib.metadata import version
from typing import Any

from adapter.clock import instant
from adapter.errors import NotFound
from adapter.fhir.resource import dumps, laid_out
from adapter.store.documents import Document
from adapter.store.state import State
from adapter.sync.certificates.certificate import Certificate

_KIND = "certificates"


class Certificates:
    """Keeps what each sync came to."""

    def __init__(self, state: State) -> None:
        self._state = state

    def keep(self, certificate: Certificate) -> str:
        """Keep a certificate with what waits for a person at its end; the name by which a person speaks of it."""
        remote = certificate.remote
        id = f"{remote}:{instant(certificate.started)}"
        settings = self._state.get("remotes", remote) or {}
        body = certificate.to_json() | {
            "address": settings.get("url", ""),
            "casebridge": version("casebridge"),
            "clean": certificate.clean,
            "conflicts": [
                {"resource": found["reference"], "reason": found["reason"]}
                for _, found in self._state.all("conflicts", {"remote": remote, "status": "open"})
            ],
            "dead letters": [
                {"resource": found.get("reference") or found.get("there"), "way": found["direction"], "reason": found["reason"]}
                for _, found in self._state.all("dead_letters", {"remote": remote})
            ],
        }
        self._state.put(_KIND, id, body)
        return id

    def all(self, remote: str | None = None) -> list[tuple[str, Document]]:
        """All that are kept, with their ids, the newest first."""
        found = self._state.all(_KIND, {"remote": remote} if remote else {})
        return sorted(found, key=lambda each: (each[1]["started"], each[0]), reverse=True)

    def get(self, name: str) -> tuple[str, Document]:
        """A certificate with its id, by that, or the last one of a remote by the remote's name. Raises NotFound."""
        if found := self._state.get(_KIND, name):
            return name, found
        if last := self.all(name):
            return last[0]
        raise NotFound(f"There is no certificate {name}; `casebridge certificates list` shows those that there are.")


def filed(id: str, body: Document) -> str:
    """A certificate as JSON text, as it is filed."""
    return laid_out(dumps({"certificate": id, **body})) + "\n"


def checksum(id: str, body: Document) -> str:
    """The SHA-256 of `filed`: that of the file it is written to."""
    return sha256(filed(id, body).encode()).hexdigest()


def waiting(body: dict[str, Any]) -> int:
    """How much waited for a person at its end."""
    return len(body.get("conflicts", ())) + len(body.get("dead letters", ())) + int(body.get("questions", 0))
