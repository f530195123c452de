"""Java programs of ours, built once from a folder with a pom.xml and sources, and run from a cache outside the project."""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import platformdirs

CACHE = Path(platformdirs.user_cache_dir("casebridge", appauthor=False))
CLASS_PATH = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:build-classpath"


class JavaError(RuntimeError):
    """A Java program could not be built or started; the text says what to do."""


def say(words: str) -> None:
    """Tell whoever waits at the terminal what is going on."""
    print(f"live: {words}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def alone(name: str) -> Iterator[Path]:
    """The cache folder `name`, while no other process has it."""
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def command(project: Path, main: str, *, heap: str, optimised: bool = False, jvm: tuple[str, ...] = ()) -> list[str]:
    """The start of a command line that runs class `main` of `project`, built where it is not yet. Raises JavaError.

    `optimised` leaves Java its second compiler, C2, for programs that are measured.

    The first build downloads the jars named by the pom into Maven's own repository.
    """
    classes = _built(project)
    # C1 alone halves the start of a program that lives for minutes; one collector thread leaves the other core to the tests.
    tuning = [f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:-UsePerfData"]
    compiler = [] if optimised else ["-XX:TieredStopAtLevel=1"]
    return [_tool("java"), *tuning, *compiler, *jvm, "-cp", classes, main]


def _built(project: Path) -> str:
    sources = sorted((project / "src").rglob("*.java"))
    digest = hashlib.sha256()
    for source in [project / "pom.xml", *sources]:
        digest.update(source.read_bytes())
    with alone(f"{project.name}-{digest.hexdigest()[:12]}") as folder:
        class_path, classes = folder / "classpath", folder / "classes"
        if not _whole(class_path):
            class_path.unlink(missing_ok=True)
            shutil.rmtree(classes, ignore_errors=True)
            _compile(project, sources, classes, class_path)
        return f"{classes}{os.pathsep}{class_path.read_text()}"


def _whole(class_path: Path) -> bool:
    """Whether it was built to the end and no jar has been cleaned away since."""
    return class_path.exists() and all(Path(jar).exists() for jar in class_path.read_text().split(os.pathsep))


def _compile(project: Path, sources: list[Path], classes: Path, class_path: Path) -> None:
    began = time.monotonic()
    mvn, javac = _tool("mvn"), _tool("javac")
    say(f"building {project.name} (the first time downloads its jars: some minutes) …")
    fresh = class_path.with_suffix(".new")
    _run([mvn, "-B", "-q", "-f", str(project / "pom.xml"), CLASS_PATH, "-DincludeScope=runtime", f"-Dmdep.outputFile={fresh}"])
    _run([javac, "-proc:none", "-d", str(classes), "-cp", fresh.read_text(), *map(str, sources)])
    fresh.rename(class_path)  # last: its presence says that all is there
    say(f"{project.name} built in {time.monotonic() - began:.0f} s")


def _run(arguments: list[str]) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise JavaError(f"{Path(arguments[0]).name} ended with code {done.returncode}:\n{last}")


def _tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise JavaError(f"The command {name} is not here. On Debian: apt-get install openjdk-17-jdk-headless maven")
    if name != "mvn":
        answer = subprocess.run([path, "-version"], capture_output=True, text=True, check=False)
        version = re.search(r"\d+", answer.stderr + answer.stdout)
        if version is None or int(version[0]) < 17:
            raise JavaError(f"{path} is older than 17. On Debian: apt-get install openjdk-17-jdk-headless")
    return path
