"""The commands of docs/security.md, as they stand there, with OpenSSL, curl and jq."""

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import casebridge, environment
from tests.cli.test_serve import serving

__all__ = ["casebridge", "environment"]

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not all(map(shutil.which, ("openssl", "curl", "jq", "basenc"))), reason="needs openssl, curl, jq and basenc"),
]
PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()


def block(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n```sh\n(.*?)```", PAGE, re.DOTALL)
    assert found, name
    return found[1]


def shell(script: str, folder: Path) -> str:
    run = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_an_insurer_registers_once_and_pulls(casebridge, environment, tmp_path):
    shell(block("register"), tmp_path)
    added = casebridge(
        *("client", "add", "north", "--role", "insurer-reader", "--organisation", "Organization/north", "--purpose", "HPAYMT"),
        *("--scope", "system/*.rs", "--jwks", tmp_path / "north.jwks.json"),
    )
    assert added.code == 0, added.err
    with serving(environment) as (run, port):
        pull = block("pull").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
        helper = block("register").splitlines()[0]
        found = json.loads(shell(f"{helper}\n{pull}", tmp_path))
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
    assert (found["resourceType"], found["type"]) == ("Bundle", "searchset")
