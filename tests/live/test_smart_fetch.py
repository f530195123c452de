"""smart-fetch as its makers released it exports from this server: everything, and a Group's members, each resource once."""

import gzip
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.exporting.turns import exporting
from server import create_app, running

from .clients import programs

PEOPLE = 20
MEMBERS = 7


@pytest.fixture
def command(pytestconfig: pytest.Config) -> list[str]:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            return programs.command("smart-fetch")
    except programs.NotInstalled as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(f"smart-fetch could not be installed: {error}")


def resources() -> Iterator[dict[str, Any]]:
    for number in range(PEOPLE):
        yield {"resourceType": "Patient", "id": f"p-{number}", "name": [{"family": "Kanarifugl"}]}
        subject = {"reference": f"Patient/p-{number}"}
        yield {"resourceType": "Condition", "id": f"c-{number}", "code": {"text": "Kanarifugl"}, "subject": subject}
    members = [{"entity": {"reference": f"Patient/p-{number}"}} for number in range(MEMBERS)]
    yield {"resourceType": "Group", "id": "g", "type": "person", "actual": True, "member": members}


@pytest.fixture
def url(database: Any, tmp_path: Path) -> Iterator[str]:
    repository, root = Repository(database), tmp_path / "exports"
    repository.commit([Change(raw["resourceType"], raw["id"], raw, 0) for raw in resources()])
    with exporting(repository, root), running(create_app(repository, exports=root)) as address:
        yield f"{address}/fhir"


@pytest.fixture
def fetched(command: list[str], url: str, tmp_path: Path) -> Callable[..., list[str]]:
    """What it brings, as Type/id."""

    def fetch(*more: str) -> list[str]:
        folder = tmp_path / "fetched"
        asked = ["bulk", "--fhir-url", url, "--type", "Patient,Condition", *more, str(folder)]
        ran = subprocess.run([*command, *asked], capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
        lines = [json.loads(line) for path in folder.glob("*.ndjson.gz") for line in gzip.decompress(path.read_bytes()).splitlines()]
        return sorted(f"{raw['resourceType']}/{raw['id']}" for raw in lines)

    return fetch


def names(number: int) -> list[str]:
    return sorted(name for place in range(number) for name in (f"Patient/p-{place}", f"Condition/c-{place}"))


def test_it_exports_everything(fetched: Callable[..., list[str]]) -> None:
    assert fetched() == names(PEOPLE)


def test_it_exports_the_members_of_a_group(fetched: Callable[..., list[str]]) -> None:
    assert fetched("--group", "g") == names(MEMBERS)
