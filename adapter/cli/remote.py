"""`casebridge remote`: the external FHIR servers that this one is kept in step with."""

from typing import Any

import click

from adapter.cli.connection import bridge
from adapter.cli.terminal import as_json, line, say, table
from adapter.fhir.auth import auth_from
from adapter.fhir.capability import Capability
from adapter.sync.pull import types_to_pull
from adapter.sync.remotes import Remote


@click.group()
def remote() -> None:
    """Other FHIR servers: add, list, check, remove."""


@remote.command()
@click.argument("name")
@click.argument("url")
@click.option("--auth", type=click.Choice(["none", "basic", "bearer"]), default="none", show_default=True, help="How we prove who we are.")
@click.option("--user", help="The user, for basic.")
@click.option("--secret-file", help="A file that holds the password or token; read for each request, never stored.")
@click.option("--secret-env", help="Instead of a file: the environment variable that holds it.")
@click.option("--sandbox", is_flag=True, help="It never gets a resource that is not tagged as synthetic.")
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Pull only this type; repeatable.  [default: all it can search]")
@click.option("--mine", is_flag=True, help="Pull only what was born in a casebridge: for a server that others use too.")
@click.option("--page-size", default=200, show_default=True, type=click.IntRange(1, 1000), help="Resources to ask for at once.")
@click.option("--bundle-size", default=50, show_default=True, type=click.IntRange(1, 1000), help="Resources to send in one transaction.")
@click.option("--timeout", default=60.0, show_default=True, type=click.FloatRange(1, 3600), help="Seconds to wait for an answer.")
def add(name: str, url: str, auth: str, types: tuple[str, ...], **options: Any) -> None:
    """Add the FHIR server at URL, to be called NAME.

    A secret is never an argument, where others could see it: name the file or the environment variable that holds it.

    \b
      casebridge remote add hapi http://127.0.0.1:8090/fhir --sandbox
      casebridge remote add city https://ehr.example/fhir --auth bearer --secret-file ~/city.token
    """
    given = {name: options.pop(name) for name in ("user", "secret_file", "secret_env")}
    config = {"kind": auth, **{name: value for name, value in given.items() if value}}
    auth_from(config)
    with bridge() as opened:
        opened.remotes.add(Remote(name, url, config, types=types, **options))
    say(f"Added. `casebridge remote check {name}` asks it what it can do; `casebridge plan {name}` shows what a sync would do.")


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
        as_json([_settings(each) | {"open_conflicts": waiting[each.name]} for each in remotes])
    elif not remotes:
        say("None yet. `casebridge remote add NAME URL` adds one.")
    else:
        rows = [(each.name, each.url, each.auth["kind"], "yes" if each.sandbox else "", waiting[each.name]) for each in remotes]
        table(("name", "address", "auth", "sandbox", "open conflicts"), rows, numbers=("open conflicts",))


def _settings(each: Remote) -> dict[str, Any]:
    return {
        "name": each.name,
        "url": each.url,
        "auth": each.auth,
        "sandbox": each.sandbox,
        "types": list(each.types),
        "page_size": each.page_size,
        "bundle_size": each.bundle_size,
        "timeout": str(each.timeout),
    }


@remote.command()
@click.argument("name")
@click.option("--json", "json", is_flag=True, help="As JSON.")
def check(name: str, json: bool) -> None:
    """Ask NAME what it is and what it can do for us. Nothing is changed.

    \b
      casebridge remote check hapi
    """
    with bridge() as opened:
        each = opened.remotes.get(name)
    with each.client() as client:
        capability = client.capability()
        pulled = types_to_pull(each, capability)
        if pulled:
            # Metadata is often open to anybody: this shows that the credentials are good.
            client.count(pulled[0], {})
    facts = _facts(each, capability, pulled)
    if json:
        as_json(facts)
        return
    line(f"{name} answers: {facts['software'] or 'a server without a name'}, FHIR {facts['fhir_version']}, at {each.url}")
    rows = [(row, "yes" if facts[row] else "no", why) for row, why in _ABILITIES.items()]
    table(("it can", "", "what that means for a sync"), rows)
    names = ", ".join(pulled) if len(pulled) <= _NAMED else f"{', '.join(pulled[:_NAMED])} … (--json names all)"
    line(f"Pulled are {len(pulled)} types: {names}" if pulled else "It has no type that could be pulled.")
    if facts["lacking"]:
        line(f"Asked for but not searchable there: {', '.join(facts['lacking'])}.")


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

    What is linked stays linked: adding the same address again doubles nothing.

    \b
      casebridge remote remove hapi
    """
    with bridge() as opened:
        opened.remotes.remove(name)
    say(f"{name} is forgotten. Nothing was deleted, here or there.")
