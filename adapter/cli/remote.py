"""`casebridge remote`: the external FHIR servers that this one is kept in step with."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from adapter.cli.connection import bridge
from adapter.cli.exits import Failure
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.clock import instant
from adapter.errors import Invalid
from adapter.fhir.capability import Capability
from adapter.sync.bridge import Bridge
from adapter.sync.pulling.pull import types_to_pull
from adapter.sync.remotes import preset
from adapter.sync.remotes.probes import PROBES, probe
from adapter.sync.remotes.profile import Profile, kept
from adapter.sync.remotes.remote import Remote
from adapter.sync.remotes.settings import assigned, read_file, settings_of, shown
from adapter.sync.remotes.strategy import RULES, strategy
from adapter.sync.workers import remote_lease

_AUTH = ("auth", "user", "secret_file", "secret_env")
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def remote() -> None:
    """Other FHIR servers: add, set, show, list, check, remove."""


@remote.command()
@click.argument("name")
@click.argument("url", required=False)
@click.option("--preset", type=click.Choice(preset.names()), help="Settings that suit a kind of server: `casebridge remote presets`.")
@click.option("--settings", "file", type=_FILE, help="A TOML file of settings; they go before the preset's.")
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE", help="One setting, before all those; repeatable.")
@click.option("--auth", metavar="KIND", help="How we prove who we are, such as basic or bearer.  [default: none]")
@click.option("--user", help="The user, for basic.")
@click.option("--secret-file", help="A file that holds the password or token; read for each request, never stored.")
@click.option("--secret-env", help="Instead of a file: the environment variable that holds it.")
@click.option("--sandbox", is_flag=True, help="It never gets a resource that is not tagged as synthetic.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Pull only this type; repeatable.  [default: all it can search]")
@click.option("--mine", is_flag=True, help="Pull only what was born in a casebridge: for a server that others use too.")
@click.option("--page-size", type=int, help=f"Resources to ask for at once.  [default: {Remote.page_size}]")
@click.option("--bundle-size", type=int, help=f"Resources to send in one transaction.  [default: {Remote.bundle_size}]")
@click.option("--timeout", type=float, help=f"Seconds to wait for an answer.  [default: {Remote.timeout:g}]")
def add(name: str, url: str | None, file: Path | None, assignments: tuple[str, ...], **options: Any) -> None:
    """Add the FHIR server at URL, to be called NAME.

    A secret is never an argument, where others could see it: name the file or the environment variable that holds it. A preset of a public
    server knows its URL. docs/remotes.md lists all settings.

    \b
      casebridge remote add hapi http://127.0.0.1:8090/fhir --sandbox
      casebridge remote add city https://ehr.example/fhir --auth bearer --secret-file ~/city.token
      casebridge remote add try --preset hapi-public --set types=Patient,CarePlan
    """
    source = click.get_current_context().get_parameter_source
    options = {option: value for option, value in options.items() if source(option) is ParameterSource.COMMANDLINE}
    known = preset.preset(options.pop("preset")).settings if "preset" in options else {}
    values = {**known, **(read_file(Remote, file) if file else {})}
    values |= assigned(Remote, assignments, values)
    auth = {key: options.pop(key) for key in _AUTH if key in options}
    values |= options
    if auth:
        given = {"kind": auth.pop("auth")} if "auth" in auth else values.get("auth", {})
        values["auth"] = {**given, **auth}
    values |= {"name": name} | ({"url": url} if url else {})
    if "url" not in values:
        raise Invalid("The address of the server is needed: casebridge remote add NAME URL.")
    with bridge() as opened:
        opened.remotes.add(Remote(**values))
    say(f"Added. `casebridge remote check {name}` asks it what it can do; `casebridge plan {name}` shows what a sync would do.")


@remote.command("set")
@click.argument("name")
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE…")
def set_(name: str, assignments: tuple[str, ...]) -> None:
    """Change settings of NAME.

    Nothing after the = returns a setting to its default; a key of a table is set as TABLE.KEY=VALUE. docs/remotes.md lists all settings.

    \b
      casebridge remote set hapi page_size=100 types=Patient,CarePlan
      casebridge remote set hapi auth.kind=bearer auth.secret_env=HAPI_TOKEN
    """
    with bridge() as opened:
        opened.remotes.change(name, assigned(Remote, assignments, vars(opened.remotes.get(name))))
    say("Changed.")


@remote.command()
@click.argument("name")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def show(name: str, json: bool) -> None:
    """The settings of NAME.

    \b
      casebridge remote show hapi
    """
    with bridge() as opened:
        each = opened.remotes.get(name)
    if json:
        as_json(asdict(each))
        return
    rows = [
        (setting.name, shown(getattr(each, setting.name)), "" if getattr(each, setting.name) == setting.default else "yes")
        for setting in settings_of(Remote).values()
    ]
    table(("setting", "value", "set"), rows)


@remote.command()
@click.argument("name", required=False)
@click.option("--json", "json", is_flag=True, help="As JSON.")
def presets(name: str | None, json: bool) -> None:
    """The kinds of server that are known, or what is known of one.

    \b
      casebridge remote presets
      casebridge remote presets hapi
    """
    if json:
        as_json([asdict(preset.preset(each)) for each in ([name] if name else preset.names())])
    elif name:
        found = preset.preset(name)
        line(found.title)
        table(("setting", "value"), [(setting, shown(value)) for setting, value in found.settings.items()])
        for need in found.needs:
            line(f"needs --set {need}=…")
        for fact in found.facts:
            line(f"- {fact.says} ({'' if fact.verified else 'not verified; '}{fact.source}, {fact.checked})")
    else:
        table(("preset", "for"), [(each, preset.preset(each).title) for each in preset.names()])


@remote.command("list")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def list_(json: bool) -> None:
    """The servers that were added.

    \b
      casebridge remote list
    """
    with bridge() as opened:
        remotes = opened.remotes.all()
        waiting = {each.name: sum(1 for _ in opened.conflicts.all(each.name)) for each in remotes}
    if json:
        as_json([asdict(each) | {"open_conflicts": waiting[each.name]} for each in remotes])
    elif not remotes:
        say("None yet. `casebridge remote add NAME URL` adds one.")
    else:
        rows = [(each.name, each.url, each.auth["kind"], "yes" if each.sandbox else "", waiting[each.name]) for each in remotes]
        table(("name", "address", "auth", "sandbox", "open conflicts"), rows, numbers=("open conflicts",))


@remote.command()
@click.argument("name")
@click.option("--probe", "probing", is_flag=True, help="Find out what it really does, with synthetic resources that are taken away again.")
@click.option("--yes-write", is_flag=True, help="Probe it although it is not marked as a sandbox.")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def check(name: str, probing: bool, yes_write: bool, json: bool) -> None:
    """Ask NAME what it is and what it can do for us.

    Nothing is changed without --probe. With it, what NAME claims is tried: some 200 requests, with Patients and Observations that are
    tagged as synthetic. What was found is kept as its profile, and decides how a sync goes about it.

    \b
      casebridge remote check hapi
      casebridge remote check hapi --probe
    """
    with bridge() as opened:
        each = opened.remotes.get(name)
        with each.client() as client:
            capability = client.capability()
            pulled = types_to_pull(each, capability)
            if pulled:
                # Metadata is often open to anybody: this shows that the credentials are good.
                client.count(pulled[0], {})
        left = _probe(opened, each, yes_write) if probing else []
        profile = kept(opened.state, name)
    facts = _facts(each, capability, pulled)
    chosen = strategy(profile, capability, each)
    if json:
        as_json(facts | {"profile": profile.to_json() if profile else None, "strategy": asdict(chosen), "left": left})
    else:
        _show_claims(each, facts)
        if profile:
            _show_profile(profile, facts["software"])
        rows = [(row, shown(getattr(chosen, row)) or "none", rule.follows) for row, rule in RULES.items()]
        table(("strategy", "", "follows from"), rows, title="So a sync goes about it")
        for reference in left:
            line(f"left there, and to be deleted by hand or by the next --probe: {reference}")
    if left:
        raise Failure


def _probe(opened: Bridge, each: Remote, yes_write: bool) -> list[str]:
    """Probe a remote; Type/id of what could not be taken away."""
    if not (each.sandbox or yes_write):
        raise Invalid(f"{each.name} is not marked as a sandbox, and probes write to it: say --yes-write if that may be.")
    left: list[str] = []

    def tell(references: list[str]) -> None:
        left.extend(references)
        if references:
            say(f"Could not be deleted at {each.url}: {', '.join(references)}")

    # A pull at the same time would bring the synthetic resources here.
    with remote_lease.hold(opened.state, each.name) as held, progress() as report:

        def watched(what: str, done: int, total: int) -> None:
            held.check()
            report(what, done, total)

        probe(opened.state, each, opened.clock, watched, tell)
    return left


def _show_claims(each: Remote, facts: dict[str, Any]) -> None:
    line(f"{each.name} answers: {facts['software'] or 'a server without a name'}, FHIR {facts['fhir_version']}, at {each.url}")
    rows = [(row, "yes" if facts[row] else "no", why) for row, why in _ABILITIES.items()]
    table(("it says it can", "", "what that means for a sync"), rows)
    pulled = facts["pulled"]
    names = ", ".join(pulled) if len(pulled) <= _NAMED else f"{', '.join(pulled[:_NAMED])} … (--json names all)"
    line(f"Pulled are {len(pulled)} types: {names}" if pulled else "It has no type that could be pulled.")
    if facts["lacking"]:
        line(f"Asked for but not searchable there: {', '.join(facts['lacking'])}.")


def _show_profile(profile: Profile, software: str) -> None:
    findings = [(each, profile.findings[name]) for name, each in PROBES.items() if name in profile.findings]
    rows = [(each.question, "?" if found.value is None else shown(found.value), each.meaning(found)) for each, found in findings]
    table(("asked", "", "what that means for a sync"), rows, title=f"Probed on {instant(profile.at)}")
    if profile.software != software:
        line(f"It was {profile.software or 'without a name'} then: probe it again.")


_NAMED = 20
_ABILITIES = {
    "transaction": "many resources go in one request, all or none; without: one by one",
    "history": "what it deletes is noticed; without: not for the types that have no history",
    "conditional_create": "an interrupted push makes no duplicate at it",
}


def _facts(each: Remote, capability: Capability, pulled: list[str]) -> dict[str, Any]:
    return {
        "name": each.name,
        "software": capability.software,
        "fhir_version": capability.fhir_version,
        "transaction": capability.transaction,
        "history": all(capability.supports(type, "history-type") for type in pulled),
        "conditional_create": all(capability.conditional_create(type) for type in pulled),
        "pulled": pulled,
        "lacking": sorted(set(each.types) - set(pulled)),
    }


@remote.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget NAME's settings. Nothing is deleted, here or there.

    What is linked stays linked: adding the same address again doubles nothing. So the name cannot be given to another address.

    \b
      casebridge remote remove hapi
    """
    with bridge() as opened:
        opened.remotes.remove(name)
    say(f"{name} is forgotten. Nothing was deleted, here or there.")
