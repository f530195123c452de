"""A real HAPI FHIR JPA server (R4, in memory) on this machine.

`python -m tests.live.hapi --port 8080` runs one until Ctrl-C.
"""

import argparse
import dataclasses
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import requests

from . import java

PROJECT = Path(__file__).with_name("hapi")
PATIENCE = 300.0
"""Seconds to wait for the first answer. It takes 15 s on two idle cores and was seen to take 98 s at a load of 20."""
EXPUNGE = {"resourceType": "Parameters", "parameter": [{"name": "expungeEverything", "valueBoolean": True}]}


@dataclasses.dataclass(frozen=True)
class Options:
    """How a server behaves. The defaults are HAPI's own, but for `max_page`, where HAPI knows no limit."""

    port: int = 0
    """0: a free one."""
    default_page: int = 20
    max_page: int = 500
    search_cache_millis: int = 60_000
    """How long an identical search gets the old result; 0: never."""
    check_references: bool = True
    client_ids: str = "ALPHANUMERIC"
    """NOT_ALLOWED, ALPHANUMERIC (anything but digits alone) or ANY."""
    server_ids: str = "SEQUENTIAL_NUMERIC"
    """Or UUID."""


class Hapi:
    """A HAPI server. `url` is its FHIR base, `pid` its process or None where somebody else runs it.

    `seconds` is how long it took from its launch to its first answer.
    """

    seconds = 0.0

    def __init__(
        self, url: str, process: subprocess.Popen[bytes] | None = None, folder: tempfile.TemporaryDirectory[str] | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self._process, self._folder = process, folder

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    @classmethod
    def start(cls, *, heap: str = "1g", optimised: bool = False, **options: int | bool | str) -> Self:
        """A new server on loopback that answers, built first where needed. `options` are the fields of `Options`.

        `optimised` leaves Java its second compiler: a slower start, faster answers after minutes.

        It ends with `stop()`, and by itself when this process is gone. Raises java.JavaError.
        """
        settings = dataclasses.asdict(Options(**options))  # type: ignore[arg-type]
        command = java.command(
            PROJECT,
            "casebridge.live.Server",
            heap=heap,
            optimised=optimised,
            jvm=(f"-Dlogback.configurationFile={PROJECT / 'logback.xml'}",),
        )
        command += [f"{name}={value}" for name, value in settings.items()]
        folder = tempfile.TemporaryDirectory(prefix="casebridge-hapi-")
        command[1:1] = [f"-Djava.io.tmpdir={folder.name}"]
        log = Path(folder.name, "log")
        java.say("starting HAPI …")
        began = time.monotonic()
        with log.open("wb") as out:
            # Its input is closed by our end, however we end, and that ends the server.
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT)
        hapi = cls("", process, folder)
        try:
            hapi.url = f"http://127.0.0.1:{_port(process, log)}/fhir"
            # The first CapabilityStatement takes HAPI seconds to make; tests get a warm server.
            requests.get(f"{hapi.url}/metadata", timeout=PATIENCE).raise_for_status()
        except BaseException:
            hapi.stop()
            raise
        hapi.seconds = time.monotonic() - began
        java.say(f"HAPI answers at {hapi.url} after {hapi.seconds:.0f} s (pid {hapi.pid})")
        return hapi

    def empty(self) -> None:
        """Take every resource, version and remembered search away; ids go on counting."""
        requests.post(f"{self.url}/$expunge", json=EXPUNGE, timeout=PATIENCE).raise_for_status()

    def wait(self) -> None:
        """Come back when the server has ended."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End the server, gently and then firmly. Nothing happens where it is not ours or has ended."""
        if self._process is None or self._folder is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the server says it listens on. Raises JavaError with the end of its log where it does not come up."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended = process.poll() is not None
        lines = log.read_text(errors="replace").splitlines()
        for line in lines:
            if line.startswith("listening "):
                return int(line.split()[1])
        if ended:
            raise java.JavaError("\n".join([f"HAPI ended with code {process.returncode}:", *lines[-15:]]))
        time.sleep(0.2)
    raise java.JavaError(f"HAPI did not come up within {PATIENCE:.0f} s.")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.live.hapi", description="Run a HAPI FHIR server until Ctrl-C.")
    parser.add_argument("--heap", default="1g", help="Java's limit of memory (default: 1g)")
    for field in dataclasses.fields(Options):
        if field.type is not bool:
            name = f"--{field.name.replace('_', '-')}"
            parser.add_argument(name, type=field.type, default=field.default, help=f"(default: {field.default})")
    parser.add_argument("--no-check-references", action="store_false", dest="check_references")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, and leaves no folder behind
    try:
        with Hapi.start(**vars(parser.parse_args())) as hapi:
            hapi.wait()
    except KeyboardInterrupt:
        java.say("HAPI has been stopped")
    except java.JavaError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
