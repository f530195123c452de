"""`casebridge keys`: the key pairs by which we sign who we are (SMART Backend Services)."""

import click

from adapter.cli.terminal import as_json, line, say, table
from adapter.clock import utc_now
from adapter.errors import Conflict, NotFound
from adapter.fhir.keys import ALGORITHMS, Keys, SigningKey, keys_named

_folder = click.option(
    "--folder", type=click.Path(file_okay=False), help="Where keys are kept, a folder for each NAME.  [default: keys in CASEBRIDGE_HOME]"
)
_json = click.option("--json", "json", is_flag=True, help="As JSON.")


@click.group()
def keys() -> None:
    """Key pairs that sign who we are: new, rotate, list, jwks.

    For remotes with auth.kind=smart-backend.
    """


@keys.command()
@click.argument("name")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], show_default=True, help="How it signs.")
@_folder
def new(name: str, algorithm: str, folder: str | None) -> None:
    """Make the first key pair of NAME.

    The private key is a file that nobody else can read, and never leaves this machine. Register what `keys jwks` prints at the remote.

    \b
      casebridge keys new city
      casebridge remote add city https://ehr.example/fhir --set auth.kind=smart-backend --set auth.keys=city \\
        --set auth.client_id=casebridge --set auth.scope='system/*.rs'
    """
    kept = keys_named(name, folder)
    try:
        kept.all()
    except NotFound:
        _made(kept, kept.make(algorithm, utc_now()))
    else:
        raise Conflict(f"{name} has keys already: `casebridge keys rotate {name}` makes another.")


@keys.command()
@click.argument("name")
@click.option("--algorithm", type=click.Choice(ALGORITHMS), help="How it signs.  [default: as the key before it]")
@_folder
def rotate(name: str, algorithm: str | None, folder: str | None) -> None:
    """Make another key pair of NAME, which signs from now on.

    The keys before it stay: the last of them signs where a remote does not know the new one yet. Register what `keys jwks` prints there,
    and drop them then.

    \b
      casebridge keys rotate city
      casebridge keys jwks city > city.jwks.json
    """
    kept = keys_named(name, folder)
    _made(kept, kept.make(algorithm or kept.all()[-1].algorithm, utc_now()))


@keys.command("list")
@click.argument("name")
@_folder
@_json
def list_(name: str, folder: str | None, json: bool) -> None:
    """The keys of NAME, oldest first.

    \b
      casebridge keys list city
    """
    found = keys_named(name, folder).all()
    rows = [{"kid": key.kid, "algorithm": key.algorithm, "signs": key is found[-1]} for key in found]
    if json:
        as_json(rows)
        return
    table(("key", "algorithm", "signs"), [(row["kid"], row["algorithm"], "yes" if row["signs"] else "") for row in rows])


@keys.command()
@click.argument("name")
@_folder
def jwks(name: str, folder: str | None) -> None:
    """Print NAME's public keys, to be registered at the remote.

    It is a JSON Web Key Set, with no secret in it.

    \b
      casebridge keys jwks city > city.jwks.json
    """
    as_json(keys_named(name, folder).jwks())


@keys.command()
@click.argument("name")
@click.argument("kid")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_folder
def drop(name: str, kid: str, yes: bool, folder: str | None) -> None:
    """Delete the key KID of NAME for good; not the one that signs.

    \b
      casebridge keys drop city 20250422T130000000Z-9zT1bYxk
    """
    if not yes:
        click.confirm(f"Delete the key {kid} of {name}?", abort=True, err=True)
    keys_named(name, folder).drop(kid)
    say(f"Deleted. Register what `casebridge keys jwks {name}` prints now.")


def _made(kept: Keys, key: SigningKey) -> None:
    line(key.kid)
    say(f"Kept in {kept.folder}. Register what `casebridge keys jwks {kept.name}` prints at the remote.")
