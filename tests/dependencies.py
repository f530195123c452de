"""Whether something is known against a package that is pinned: `python -m tests.dependencies`.

By pip-audit, which asks a register of vulnerabilities over the network. Where none can be reached it says so and does not fail: a machine
without the network can say nothing of this, and everything else that is checked holds there all the same. Whatever else goes wrong fails.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PINNED = Path(__file__).parents[1] / "constraints.txt"
REGISTERS = ("pypi", "osv")
_PATIENCE_SECONDS = 60
# What pip-audit ends with where it got no answer: the error that it did not expect, or the hint that it gives for those that it did.
_NOT_REACHED = re.compile(
    r"(requests\.exceptions\.\w*(Connection|Proxy|SSL|Timeout)\w*|pip_audit\._service\.interface\.\w+)(: .*)?"
    r"|.*your network may be blocking this service.*"
)


class Broken(Exception):
    """The audit itself went wrong; the text is what it said."""


def known(report: Mapping[str, Any]) -> list[str]:
    """A line for each vulnerability in a report of pip-audit's: the package, what is known, and where it is mended."""
    return [
        f"{package['name']} {package['version']}: {each['id']}, mended in {', '.join(each['fix_versions']) or 'no version yet'}"
        for package in report["dependencies"]
        for each in package.get("vulns", ())
    ]


def skipped(report: Mapping[str, Any]) -> list[str]:
    """The packages of which the register says nothing. A mirror of packages without the register's answers says nothing of any."""
    return [package["name"] for package in report["dependencies"] if "skip_reason" in package]


def asked(register: str) -> Mapping[str, Any] | None:
    """The report of a register; None where it cannot be reached. Raises Broken for any other reason why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        written = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(PINNED), "--no-deps", "--disable-pip"]
        command += ["--vulnerability-service", register, "--format", "json", "--output", str(written)]
        command += ["--progress-spinner", "off", "--timeout", "10"]
        try:
            ended = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=False)
        except subprocess.TimeoutExpired:
            return None
        text = written.read_text() if written.exists() else ""
    if text:
        report: Mapping[str, Any] = json.loads(text)
        return report
    if _NOT_REACHED.fullmatch(ended.stderr.strip().rpartition("\n")[2]):
        return None
    raise Broken(ended.stderr)


def main(registers: Sequence[str] = REGISTERS) -> int:
    """The exit code: 1 where something is known, or where the audit itself goes wrong."""
    for register in registers:
        try:
            report = asked(register)
        except Broken as error:
            print(f"The audit by {register} went wrong:", error, sep="\n", file=sys.stderr)
            return 1
        left, lines = (skipped(report), known(report)) if report else ([], [])
        if report is None or len(left) == len(report["dependencies"]):
            print(f"The register {register} was not reached.")
            continue
        told = len(report["dependencies"]) - len(left)
        print(*lines, f"{told} packages audited by {register}: {len(lines)} known vulnerabilities.", sep="\n")
        if left:
            print(f"Not in it: {', '.join(left)}.")
        return 1 if lines else 0
    print("Not audited: no register of vulnerabilities can be reached from here.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
