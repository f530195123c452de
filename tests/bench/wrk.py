"""`wrk`, with eight connections that cycle through requests: how many are answered in a second, and how fast nineteen of twenty are."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.bench.figures import Broken, Skipped

CONNECTIONS = 8
# HAPI keeps the result of a search and gives it again for a minute. So that it searches each time, as the other side does, both are told:
# https://hapifhir.io/hapi-fhir/docs/server_jpa/configuration.html
HEADERS = {"Accept": "application/fhir+json", "Cache-Control": "no-cache", "Content-Type": "application/fhir+json"}
_PATIENCE = 60
_SCRIPT = """\
local ready, turn = {}, 0

function init()
  for place, ask in ipairs(asks) do ready[place] = wrk.format(ask[1], ask[2], headers, ask[3]) end
end

function request()
  turn = turn % #ready + 1
  return ready[turn]
end

function done(summary, latency)
  local broken = summary.errors
  io.write(string.format(
    '\\nfigures {"requests": %d, "microseconds": %d, "p95": %d, "refused": %d, "broken": %d}\\n',
    summary.requests, summary.duration, latency:percentile(95), broken.status,
    broken.connect + broken.read + broken.write + broken.timeout))
end
"""


@dataclass(frozen=True)
class Ask:
    """One request; the path is relative to the FHIR base."""

    path: str
    method: str = "GET"
    body: str | None = None


@dataclass(frozen=True)
class Rate:
    """What a run came to."""

    per_second: float
    p95: float
    """Milliseconds in which nineteen of twenty requests were answered."""
    refused: int
    """Answers with a status of 400 or more."""
    broken: int
    """Requests that got no answer, or none within a minute."""

    @property
    def fault(self) -> str | None:
        """Why the rate means nothing."""
        if self.per_second and not self.refused and not self.broken:
            return None
        return f"{self.refused} requests were refused and {self.broken} got no answer; {self.per_second:.1f} a second were answered"


def installed() -> str:
    """Where wrk is. Raises Skipped where it is not."""
    path = shutil.which("wrk")
    if path is None:
        raise Skipped("the command wrk is not here. On Debian: apt-get install wrk")
    return path


def measure(base: str, asks: Sequence[Ask], seconds: int) -> Rate:
    """Ask a server these requests in turn, again and again, for so many seconds. Raises Skipped without wrk, Broken where it fails."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua", prefix="casebridge-") as script:
        script.write(written(urlsplit(base).path, asks))
        script.flush()
        command = [installed(), f"-c{CONNECTIONS}", "-t1", f"-d{seconds}s", f"--timeout={_PATIENCE}s", "-s", script.name, base]
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 2 * _PATIENCE, check=False)
    line = next((line for line in done.stdout.splitlines() if line.startswith("figures ")), None)
    if done.returncode or line is None:
        raise Broken(f"wrk ended with code {done.returncode}: {done.stderr.strip()[:200]}")
    told = json.loads(line.removeprefix("figures "))
    return Rate(1e6 * told["requests"] / told["microseconds"], told["p95"] / 1000, told["refused"], told["broken"])


def written(base: str, asks: Sequence[Ask], headers: Mapping[str, str] = HEADERS) -> str:
    """The script for wrk, in Lua."""
    rows = ",\n".join(
        "  {" + ", ".join(_quoted(part) for part in (ask.method, f"{base}/{ask.path}", ask.body) if part is not None) + "}" for ask in asks
    )
    named = ", ".join(f"[{_quoted(name)}] = {_quoted(value)}" for name, value in headers.items())
    return f"local headers = {{{named}}}\nlocal asks = {{\n{rows}\n}}\n{_SCRIPT}"


def _quoted(text: str) -> str:
    """A string of Lua, which knows other escapes than JSON. https://www.lua.org/manual/5.1/manual.html#2.1"""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'
