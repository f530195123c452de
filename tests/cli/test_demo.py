"""`casebridge demo --once`: the first thing that a newcomer runs, on an embedded store of its own."""

import os
import subprocess
import sys


def test_the_demo_claims_nothing_that_does_not_hold(tmp_path):
    settings = {name: value for name, value in os.environ.items() if not name.startswith("CASEBRIDGE_")}
    command = [sys.executable, "-m", "adapter.cli", "demo", "--once"]
    ran = subprocess.run(command, env=settings | {"CASEBRIDGE_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("✓") >= 11
    assert "✗" not in ran.stdout
    assert "Traceback" not in ran.stderr
