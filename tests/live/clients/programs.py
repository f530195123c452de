"""The programs beside this module, one for each library, as command lines: what they need is installed once, outside the project."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from .. import java

_FOLDER = Path(__file__).parent
# Seconds for an installation on a slow line; it takes 2 to 15.
_PATIENCE = 300


class NotInstalled(RuntimeError):
    """A library or what runs it could not be had; the text says what to do."""


def command(client: str) -> list[str]:
    """The start of the command line of a client's program, its library installed where it is not yet. Raises NotInstalled."""
    try:
        return (_RUNTIMES.get(client) or _python)(_FOLDER / client)
    except java.JavaError as error:
        raise NotInstalled(str(error)) from None


def _python(project: Path) -> list[str]:
    """In a virtual environment of its own: these libraries want other versions of what casebridge itself uses."""

    def install(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--no-deps", "--requirement", str(project / "requirements.txt")])

    folder = _installed(project, [project / "requirements.txt"], sys.version.encode(), install)
    return [str(folder / "bin" / "python"), str(project / "program.py")]


def _node(project: Path) -> list[str]:
    return [_tool("node"), str(packages(project) / "program.mjs")]


def packages(project: Path) -> Path:
    """A copy of a folder with a package.json beside the node_modules that it asks for. Raises NotInstalled."""
    npm = _tool("npm")

    def install(folder: Path) -> None:
        # A module finds its packages in the folders above itself, so the program goes where they are.
        shutil.copytree(project, folder, dirs_exist_ok=True)
        _run([npm, "ci", "--omit=dev", "--no-audit", "--no-fund", "--prefix", str(folder)])

    return _installed(project, sorted(project.iterdir()), b"", install)


def _java(project: Path) -> list[str]:
    return java.command(project, "casebridge.live.Story", heap="512m")


_RUNTIMES: dict[str, Callable[[Path], list[str]]] = {
    "fhirclient": _python,
    "fhirpy": _python,
    "fhir-kindling": _python,
    "fhir-kit-client": _node,
    "hapi-client": _java,
}
CLIENTS = tuple(_RUNTIMES)
"""Those that do the story."""


def _installed(project: Path, sources: list[Path], salt: bytes, install: Callable[[Path], None]) -> Path:
    """The folder in the cache with all that `sources` ask for."""
    digest = hashlib.sha256(salt)
    for source in sources:
        digest.update(source.read_bytes())
    with java.alone(f"{project.name}-{digest.hexdigest()[:12]}") as folder:
        whole = folder / "installed"
        if not whole.exists():
            java.say(f"installing {project.name} …")
            install(folder)
            whole.touch()  # last: its presence says that all is there
        return folder


def _run(arguments: list[str]) -> None:
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"{Path(arguments[0]).name} took more than {_PATIENCE} s.") from None
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise NotInstalled(f"{Path(arguments[0]).name} ended with code {done.returncode}:\n{last}")


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise NotInstalled(f"The command {name} is not here. On Debian: apt-get install nodejs npm")
    return path
