"""`casebridge demo`: the whole bridge in one sitting, with two stories and a hospital."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import click

from adapter.cases import story
from adapter.casework.stories import load_story
from adapter.cli.certificates import show_certificate
from adapter.cli.exits import Failure, until_asked_to_stop
from adapter.cli.terminal import line, progress, say, table
from adapter.config import Settings
from adapter.errors import NotFound
from adapter.fhir.client import FhirClient
from adapter.fhir.resource import Raw, parse
from adapter.store.connect import open_database
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.sync.bridge import Bridge
from adapter.sync.certificates.certificate import Certificate
from adapter.sync.loading.load import load
from adapter.sync.rehearsal import saved_plan
from adapter.sync.remotes.remote import Remote

_FIXTURES = Path(__file__).parents[2] / "fixtures"
_STORIES = ("river.json", "alma.json")


@dataclass
class Check:
    """What the demo claims, and whether it held."""

    held: dict[str, bool]

    def that(self, claim: str, truth: bool) -> None:
        self.held[claim] = truth
        line(f"  {'✓' if truth else '✗'} {claim}")


@click.command()
@click.option("--once", is_flag=True, help="End after the certificate; the exit code is 0 only if all held.")
@click.option("--remote", "url", help="Another FHIR server as the hospital; only what is ours and synthetic is touched there.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="Where our FHIR server listens afterwards.")
def demo(once: bool, url: str | None, port: int) -> None:
    """See the bridge at work.

    Two case managers' stories are lived step by step, pushed to a hospital's FHIR server, changed there, and brought back: one merge,
    one conflict, a certificate. The hospital is this project's own server with synthetic patients, or the one you name.

    \b
      casebridge demo
      casebridge demo --once --remote http://127.0.0.1:8090/fhir
    """
    if not (_FIXTURES / "cases").is_dir():
        raise NotFound("The demo's stories are not installed with the package; run it in a checkout of the project, with `make demo`.")
    run = uuid4().hex[:8]
    with _settings(run, keep=url is not None) as settings, open_database(settings, notice=say) as database:
        bridge = Bridge(database)
        check = Check({})
        with _hospital(database.client[f"{database.name}_hospital"], url) as (address, neighbours):
            remote = Remote("hospital", address, sandbox=True, mine=url is not None)
            bridge.remotes.add(remote)
            # On a server that others use, each run has ids of its own, so that nobody's demo meets another's.
            _live(bridge, check, run=f" {run}" if url else "")
            _exchange(bridge, remote, check, neighbours, settings.home / "demo.plan")
            if url:
                line("")
                line("To take all of it away there again:")
                line(f"  CASEBRIDGE_HOME='{settings.home}' CASEBRIDGE_DATABASE={settings.database} casebridge sandbox clean hospital")
            if not once:
                _serve(bridge.repository, port, address)
        if settings.db and not url:
            for name in (database.name, f"{database.name}_hospital"):
                database.client.drop_database(name)
    if once and not all(check.held.values()):
        raise Failure


@contextmanager
def _settings(run: str, *, keep: bool) -> Iterator[Settings]:
    """A store of the demo's own, kept afterwards only where there is something to clean up by it."""
    settings = replace(Settings.from_env(), database=f"casebridge_demo_{run}")
    if keep:
        yield replace(settings, home=settings.home / f"demo-{run}")
        return
    with TemporaryDirectory(prefix="casebridge-demo-") as home:
        yield replace(settings, home=Path(home))


@contextmanager
def _hospital(database: Any, url: str | None) -> Iterator[tuple[str, int]]:
    """The hospital's base URL, and how many resources of its own it has that we are to see."""
    if url:
        yield url, 0
        return
    # Flask and what it needs cost every other command a quarter of a second.
    from server import create_app, running

    repository = Repository(database)
    _title("A hospital", "this project's own FHIR server, on a database of its own, with synthetic patients")
    with progress() as report:
        load(repository, [_FIXTURES / "fhir" / "hospital.ndjson.gz"], progress=report)
    with running(create_app(repository)) as server:
        total = sum(1 for type in repository.types() for _ in repository.scan(type))
        line(f"  {total} resources at {server}/fhir")
        yield f"{server}/fhir", total


def _live(bridge: Bridge, check: Check, run: str) -> None:
    _title("Two cases", "each lived through the seven steps, every transition by the rules")
    for name in _STORIES:
        raw = parse((_FIXTURES / "cases" / name).read_bytes())
        told = story.parse({**raw, "story": f"{raw['story']}{run}"})
        with progress() as report:
            loaded = load_story(bridge.repository, told, progress=partial(report, told.title))
        path = [entry.transition for entry in told.entries if entry.transition]
        moved = [saved for entry, written in story.replay(told) if entry.transition for saved in written if saved.concept == "case"]
        steps = [saved.fields["step"] for saved in moved]
        line(f"  {told.title}: {' → '.join(steps)}")
        check.that(f"{told.name} took the path that its story expects", path == told.expect["path"])
        check.that(f"{told.name} has the resources that its story expects", _counts_hold(loaded.counts, told.expect["fhir"]))


def _counts_hold(counts: dict[str, int], expected: dict[str, str]) -> bool:
    def holds(type: str, text: str) -> bool:
        least = text.startswith(">=")
        number, found = int(text.removeprefix(">=").strip()), counts.get(type, 0)
        return found >= number if least else found == number

    return all(holds(type, text) for type, text in expected.items())


def _exchange(bridge: Bridge, remote: Remote, check: Check, neighbours: int, plan: Path) -> None:
    _title("What would be pushed", "a plan, shown before anything is sent")
    planned: Counter[str] = Counter()
    for entry in bridge.save(remote.name, plan, pull=False):
        planned[entry.type] += entry.action == "create"
    table(("type", "create"), sorted(planned.items()), numbers=("create",))

    _title("The push", "that plan and nothing else")
    with progress() as report:
        pushed = bridge.carry_out(saved_plan.read(plan), report)
    check.that("all that was planned was made there", pushed.clean and pushed.pushed.total("create") == sum(planned.values()))

    _title("First sync", "pull what the hospital has; what we just sent comes back and is known")
    first = _sync(bridge, remote)
    check.that("the certificate adds up and nothing waits", first.clean)
    if neighbours:
        check.that("all that the hospital has is here", first.pulled.total("create") == neighbours)

    _title("Second sync", "nothing changed, so nothing is written on either side")
    second = _sync(bridge, remote, show=False)
    check.that("nothing was written here or there", second.clean and second.pulled.written == second.pushed.written == 0)

    with remote.client() as hospital:
        _both_change(bridge, remote, hospital, check)


def _both_change(bridge: Bridge, remote: Remote, hospital: FhirClient, check: Check) -> None:
    _title("Both sides work on", "a client's telephone there and marital status here; a goal's start on both sides")
    client = next(bridge.repository.scan("Patient", {"concept": "client", "born": None}))
    goal = next(bridge.repository.scan("Goal", {"concept": "goal", "born": None}))
    _there(hospital, bridge, remote, client.reference, telecom=[{"system": "phone", "value": "555-0100", "use": "home"}])
    _here(bridge, client.reference, maritalStatus={"text": "single (Kanarifugl)"})
    _there(hospital, bridge, remote, goal.reference, startDate="2025-06-01")
    _here(bridge, goal.reference, startDate="2025-07-01")
    third = _sync(bridge, remote)
    check.that(
        "one merge: both edits of the client are on both sides", third.pulled.total("merge") == 1 and third.pushed.total("update") == 1
    )
    conflicts = list(bridge.conflicts.all(remote.name))
    for id, found in conflicts:
        line(f"  conflict {id}")
        rows = [(row["path"], row["base"], row["ours"], row["theirs"]) for row in found["rows"]]
        table(("element", "before", "ours", "theirs"), rows)
    kept = _at(hospital, bridge, remote, goal.reference)["startDate"], bridge.repository.read("Goal", goal.id).raw["startDate"]
    check.that(
        "one conflict: neither side is overwritten while a person decides", len(conflicts) == 1 and kept == ("2025-06-01", "2025-07-01")
    )

    _title("A person decides", "ours; the next sync sends it")
    for id, _ in conflicts:
        bridge.conflicts.resolve(id, {"*": "ours"}, by="demo")
    last = _sync(bridge, remote, show=False)
    check.that(
        "both sides have what was decided", _at(hospital, bridge, remote, goal.reference)["startDate"] == "2025-07-01" and last.clean
    )
    show_certificate(last.to_json())


def _sync(bridge: Bridge, remote: Remote, *, show: bool = True) -> Certificate:
    with progress() as report:
        certificate = bridge.sync(remote.name, progress=report, say=say)
    if show:
        show_certificate(certificate.to_json())
    return certificate


def _at(hospital: FhirClient, bridge: Bridge, remote: Remote, reference: str) -> Raw:
    """What the hospital has of one of our resources."""
    type, _, id = reference.partition("/")
    link = bridge.repository.read(type, id).link(remote.name)
    if link is None:
        raise NotFound(f"The hospital has no counterpart of a {type}.")
    return hospital.read(type, link.reference.partition("/")[2]).raw


def _there(hospital: FhirClient, bridge: Bridge, remote: Remote, reference: str, **elements: Any) -> None:
    now = _at(hospital, bridge, remote, reference)
    hospital.update({**now, **elements}, if_match=now["meta"]["versionId"])


def _here(bridge: Bridge, reference: str, **elements: Any) -> None:
    type, _, id = reference.partition("/")
    now = bridge.repository.read(type, id)
    bridge.repository.commit([Change(type, id, {**now.raw, **elements}, now.version)])


def _serve(repository: Repository, port: int, hospital: str) -> None:
    from adapter.store.published import publish
    from server import create_app, listen

    publish(repository)
    with listen(create_app(repository), port=port) as server:
        line("")
        line(f"Our console:     http://127.0.0.1:{server.port}/")
        line(f"Our FHIR server: http://127.0.0.1:{server.port}/fhir")
        line(f"The hospital's:  {hospital}")
        line(f"Try: curl http://127.0.0.1:{server.port}/fhir/CarePlan")
        line("They ask nobody who they are, as with `serve --no-auth`, so they answer on this machine alone.")
        line("Ctrl-C ends the demo.")
        until_asked_to_stop()


def _title(name: str, what: str) -> None:
    line("")
    line(f"{click.style(name, bold=True)}: {what}")
