"""Two hospitals that may know the same people."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from adapter.fhir.client import FhirClient
from adapter.sync.bridge import Bridge
from adapter.sync.remotes.remote import Remote
from tests.sync.hospital import hospital_server
from tests.sync.people.clinic import TRUST, TYPES
from tests.sync.world import World


@pytest.fixture
def clinics(database: Any, new_database: Callable[[], Any]) -> Iterator[tuple[World, World]]:
    """Two hospitals of one bridge, which trusts their identifiers."""
    with hospital_server(new_database()) as first, hospital_server(new_database()) as second:
        bridge = Bridge(database)
        for name, url in (("first", first), ("second", second)):
            bridge.remotes.add(Remote(name, url, types=TYPES, trust=TRUST))
        worlds = [World(bridge, FhirClient(url), bridge.remotes.get(name)) for name, url in (("first", first), ("second", second))]
        yield worlds[0], worlds[1]
        for each in worlds:
            each.hospital.close()
