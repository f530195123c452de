"""A hospital that can be made to lack abilities: this project's own server behind a proxy that takes them out of what it says."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from adapter.fhir.client import FhirClient
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.sync.faulty import Exchange, Fault, Proxy, changes
from tests.sync.hospital import hospital_server
from tests.sync.world import World

Lack = Callable[[dict[str, Any]], None]


class Ward(World):
    """A world whose remote is behind a proxy; `hospital` speaks with the server itself."""

    proxy: Proxy

    def lacks(self, *abilities: Lack) -> None:
        """From now on, the server does not claim or do these."""
        self.proxy.faults = [Fault(changes(lambda raw: [ability(raw) for ability in abilities] and None), path="/fhir")]

    def goes_wrong(self, act: Callable[[Exchange], None], **where: Any) -> Fault:
        """This goes wrong before anything that is lacking."""
        fault = Fault(act, **where)
        self.proxy.faults.insert(0, fault)
        return fault

    def asked(self, part: str = "", method: str = "") -> list[str]:
        """The paths of the requests that hold this, so far."""
        return [path for verb, path in self.proxy.seen if part in path and method in ("", verb)]

    def set(self, **settings: Any) -> None:
        """Give the remote other settings."""
        self.remote = self.bridge.remotes.change(self.remote.name, settings)


@contextmanager
def ward(database: Any, behind: Any, *, clock: Any = None, **settings: Any) -> Iterator[Ward]:
    """Our side over one database, and a hospital over another, by default with patients, goals and practitioners only."""
    clocks = {"clock": clock} if clock else {}
    with hospital_server(behind, **clocks) as url, Proxy(url) as proxy, FhirClient(url) as hospital:
        bridge = Bridge(database, **clocks)
        bridge.remotes.add(Remote("hospital", proxy.url, **{"types": ("Patient", "Goal", "Practitioner"), **settings}))
        made = Ward(bridge, hospital, bridge.remotes.get("hospital"))
        made.proxy = proxy
        yield made


def _types(raw: dict[str, Any]) -> list[dict[str, Any]]:
    return raw["rest"][0]["resource"] if raw["resourceType"] == "CapabilityStatement" else []


def all_but(*types: str) -> Lack:
    """No other types than these."""

    def lack(raw: dict[str, Any]) -> None:
        if _types(raw):
            raw["rest"][0]["resource"] = [each for each in _types(raw) if each["type"] in types]

    return lack


def history(raw: dict[str, Any]) -> None:
    """No history of a type or of all."""
    for type in _types(raw):
        type["interaction"] = [each for each in type["interaction"] if each["code"] != "history-type"]
    system_history(raw)


def system_history(raw: dict[str, Any]) -> None:
    """No history of all types at once."""
    if _types(raw):
        raw["rest"][0]["interaction"] = [each for each in raw["rest"][0]["interaction"] if each["code"] != "history-system"]


def times(raw: dict[str, Any]) -> None:
    """No search by the time of the last change, and no such time."""
    for type in _types(raw):
        type["searchParam"] = [each for each in type["searchParam"] if each["name"] != "_lastUpdated"]
    for resource in _resources(raw):
        resource.get("meta", {}).pop("lastUpdated", None)


def versions(raw: dict[str, Any]) -> None:
    """No versions."""
    for resource in _resources(raw):
        resource.get("meta", {}).pop("versionId", None)


def totals(raw: dict[str, Any]) -> None:
    """It counts nothing."""
    raw.pop("total", None)
    for resource in _resources(raw):
        resource.pop("total", None)


def _resources(raw: dict[str, Any]) -> list[dict[str, Any]]:
    return [raw, *(entry["resource"] for entry in raw.get("entry", ()) if "resource" in entry)]
