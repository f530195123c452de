"""Services of an insurer by libraries as their makers released them: SMART Backend Services, a read, a search, and what is another's."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.jwks import fetch
from adapter.fhir.keys import Keys
from adapter.store.repository import Repository
from tests.security import members
from tests.server.auth.conftest import issuer
from tests.server.auth.site import keys, opened

from . import java
from .clients import programs

__all__ = ["issuer"]

_FOLDER = Path(programs.__file__).parent


def _python(library: str) -> list[str]:
    python, _ = programs.command("smart-fetch")
    return [python, str(_FOLDER / "smart-fetch" / "services.py"), library]


def _java(_: str) -> list[str]:
    return java.command(_FOLDER / "hapi-client", "casebridge.live.Services", heap="512m")


LIBRARIES: dict[str, Callable[[str], list[str]]] = {"cumulus-fhir-support": _python, "fhirclient": _python, "HAPI": _java}


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_insurer_s_service_reads_and_searches_what_is_its_own_members(
    library: str, database: Any, tmp_path: Path, issuer: Keys, pytestconfig: pytest.Config
) -> None:
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    try:
        with capture.global_and_fixture_disabled():
            command = LIBRARIES[library](library)
    except (programs.NotInstalled, java.JavaError) as error:
        if os.environ.get("CI"):
            pytest.fail(str(error), pytrace=False)
        pytest.skip(f"{library} could not be installed: {error}")
    repository, made = Repository(database), keys(tmp_path / "south")
    members.store(repository)
    key = made.all()[-1]
    private = {**key.key.as_dict(private=True), "kid": key.kid, "alg": key.algorithm, "key_ops": ["sign"]}
    file = tmp_path / "south.jwks.json"
    file.write_text(json.dumps({"keys": [private]}))
    with opened(repository, tmp_path, issuer, fetch, limited=True) as site:
        site.service("south", made, organisation="Organization/south")
        ran = subprocess.run([*command, site.fhir, str(file)], capture_output=True, text=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr[-3000:]
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told["client"].startswith(library)
    assert (told["read"], told["found"], told["refused"]) == ("open-ours", ["closed-ours", "open-ours"], 404)
