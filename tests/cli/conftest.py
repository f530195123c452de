"""The command line as a person uses it, over the real store; and a hospital to talk to."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from adapter.cli import cli
from adapter.config import SYNTHETIC_TAG
from adapter.fhir.client import FhirClient
from tests.conftest import CANARY
from tests.sync.hospital import hospital_server


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Casebridge = Callable[..., Ran]


@pytest.fixture
def environment(store_uri, database, tmp_path) -> dict[str, str]:
    """The settings of a casebridge process that works on this test's database."""
    uri = urlsplit(store_uri)._replace(path="/").geturl()
    return {
        "CASEBRIDGE_DB": uri,
        "CASEBRIDGE_DATABASE": database.name,
        "CASEBRIDGE_HOME": str(tmp_path / "home"),
        "CASEBRIDGE_LOG": "DEBUG",
    }


@pytest.fixture
def casebridge(environment) -> Casebridge:
    """Run a command. What goes to standard error never holds patient data, whatever the command."""

    def run(*arguments: object, answer: str | None = None) -> Ran:
        result = CliRunner().invoke(cli, [str(argument) for argument in arguments], input=answer, env=environment)
        assert CANARY not in result.stderr.casefold(), "patient data on standard error"
        assert "Traceback" not in result.output
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def hospital(new_database) -> Iterator[FhirClient]:
    """A FHIR server of another organisation."""
    with hospital_server(new_database()) as url, FhirClient(url) as client:
        yield client


def patient(id: str = "p1", **elements: Any) -> dict[str, Any]:
    raw = {"resourceType": "Patient", "id": id, "meta": {"tag": [SYNTHETIC_TAG]}, "name": [{"family": "Kanarifugl"}]}
    return {**raw, **elements}


def ndjson(path: Path, *rows: dict[str, Any] | str) -> Path:
    """A file with one row a line; a text is a line as it is."""
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return path
