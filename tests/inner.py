"""Tests that are to fail, run as tests of ours are."""

import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent


def outcome(folder: Path, tests: str, **settings: str) -> str:
    """What pytest prints of these tests, with our conftest and options; `settings` are other values for names in the conftest."""
    conftest = _HERE.joinpath("conftest.py").read_text()
    for name, value in settings.items():
        [line] = [line for line in conftest.splitlines() if line.startswith(f"{name} = ")]
        conftest = conftest.replace(line, f"{name} = {value}")
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_inner.py").write_text(tests)
    options = ("-c", _HERE.parent / "pyproject.toml", "--rootdir", folder, "-p", "no:cacheprovider", "-q")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, folder],
        cwd=_HERE.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return run.stdout
