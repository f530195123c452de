"""`casebridge packet`: what a registered client may have of one member, made here and handed over by file."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from adapter.audit.event import TYPE, Asker, Told, audit_event
from adapter.cli.connection import repository, user
from adapter.cli.terminal import as_json, line, progress, say, table
from adapter.cli.transfer import whole
from adapter.clock import instant
from adapter.config import BASE, Settings
from adapter.errors import Conflict, Invalid, NotFound
from adapter.fhir.dates import BEGIN, END, span
from adapter.fhir.references import split
from adapter.fhir.resource import Raw, check_structure, dumps, laid_out, parse_resource
from adapter.packet import forms, member
from adapter.packet.packet import Asked, Packet
from adapter.packet.packet import packet as read_packet
from adapter.packet.reach import named
from adapter.store.documents import Change
from adapter.store.repository import Repository
from adapter.store.rows import Row
from adapter.store.seen import seen_by
from adapter.store.sight import Sight, sight_of

if TYPE_CHECKING:
    from server.auth.principal import Principal

_DAY = click.DateTime(("%Y-%m-%d",))
_OPERATION = "$payer-packet"


@click.command()
@click.option("--for", "client", required=True, metavar="CLIENT", help="The service on whose behalf: casebridge client list.")
@click.option("--patient", metavar="REFERENCE", help="The member, such as Patient/river.")
@click.option(
    "--member",
    "identity",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead: a file with the Parameters of $member-match, MemberPatient and CoverageToMatch.",
)
@click.option("--from", "start", type=_DAY, help="Plans of care from this day on.")
@click.option("--to", "end", type=_DAY, help="Plans of care up to this day.")
@click.option("--purpose", metavar="CODE", help="A code of v3-ActReason: that of the client, or a kind of it.")
@click.option("--form", type=click.Choice(forms.FORMS), default="searchset", show_default=True, help="How it is told.")
@click.option("--out", type=click.Path(path_type=Path), help="A file .json or .ndjson, or a folder.")
@click.option("--withheld", is_flag=True, help="Instead of the packet, all that it withholds and why: for a privacy officer.")
@click.option("--json", "json", is_flag=True, help="With --withheld: as JSON.")
def packet(
    client: str, patient: str | None, identity: Path | None, form: str, out: Path | None, withheld: bool, json: bool, **asked: Any
) -> None:
    """Make a packet: a member's plans, as a client may have them.

    They come with all that they refer to, as $payer-packet would give them: by its cover, the member's consents, its scopes and its policy
    (docs/packet.md). Without --out it goes to standard output; in a folder, which must be new or empty, the account of it is a file of
    its own, and NDJSON a file for each type. Files are for their owner alone, and appear under their names when they are whole. Before
    anything is told, an AuditEvent says to whom (docs/audit.md).

    \b
      casebridge packet --for north --patient Patient/river --out packet.json
      casebridge packet --for north --member river.json --from 2026-01-01 --form transaction --out packet/
      casebridge packet --for north --patient Patient/river --withheld
    """
    if (patient is None) == (identity is None):
        raise click.UsageError("Name the member by --patient or by --member.")
    if json and not withheld:
        raise click.UsageError("--json is for --withheld.")
    if out and not withheld:
        _refuse_another(out)
    settings = Settings.from_env()
    with repository() as opened, progress() as report:
        principal = _principal(opened, client)
        sight = sight_of(opened.database, principal.viewer, opened.clock(), settings.site)
        seen = seen_by(opened, sight)
        id = _matched(seen, identity) if identity else _id_of(str(patient))
        wanted = Asked(id, *_bounds(asked["start"], asked["end"]), asked["purpose"])
        made = read_packet(opened, sight, wanted, in_full=withheld, tell=lambda count: report("packet", count, 0))
        if not withheld:
            _account_for(opened, principal, sight, made)
    if withheld:
        _show_withheld(made, json)
        return
    base = f"{settings.url}/fhir" if settings.url else BASE
    if out is None:
        _show(made, form, base)
        return
    written = _to_file(made, form, base, out) if out.suffix in (".json", ".ndjson") else _to_folder(made, form, base, out)
    say(f"{len(made.rows)} resources, {len(made.plans)} of them plans, written to {written}.")


def _principal(opened: Repository, client: str) -> "Principal":
    """The client. Raises NotFound, Invalid for an app, and Forbidden where its scopes do not allow a packet."""
    # What the server needs costs every other command half a second.
    from server.auth.principal import Principal
    from server.auth.registers import Registers

    found = Registers.of(opened).clients.find(client)
    if found is None:
        raise NotFound("There is no client of this id that is let in: `casebridge client list` shows those that there are.")
    if found.app:
        raise Invalid("An app asks for the people who use it: a packet is made for a service.")
    scope = found.get_allowed_scope(found.scope) or ""
    principal = Principal(found.id, found.role_name, scope, organisation=found.organisation, purpose=found.purpose)
    principal.grant.check("POST", _OPERATION)
    return principal


def _account_for(opened: Repository, principal: "Principal", sight: Sight, made: Packet) -> None:
    """Write down to whom the packet is told, as the server does of the operation, and who made it."""
    by = Asker(principal.client, organisation=principal.organisation, role=principal.role_name, purpose=made.purpose)
    rule = f"{principal.role_name}: {' or '.join(sight.policy.ties)}; consent {sight.policy.consent}"
    told = Told([*map(named, made.rows)], len(made.rows), rule, {"operator": user()})
    event = audit_event(_OPERATION, by, instant(made.moment), patients=[made.patient], told=told)
    opened.commit([Change(TYPE, str(uuid4()), event, 0)])


def _id_of(reference: str) -> str:
    parts = split(reference)
    if parts is None or parts[0] != "Patient":
        raise Invalid("--patient is a reference such as Patient/river.")
    return parts[1]


def _matched(seen: Repository, identity: Path) -> str:
    given = {each.get("name"): each.get("resource") for each in parse_resource(identity.read_bytes()).get("parameter") or ()}
    patient, coverage = (given.get(name) for name in ("MemberPatient", "CoverageToMatch"))
    if not isinstance(patient, dict) or not isinstance(coverage, dict):
        raise Invalid("--member is a file with Parameters that hold MemberPatient and CoverageToMatch.")
    for each in (patient, coverage):
        check_structure(each)
    return member.of_identity(seen, patient, coverage)


def _bounds(start: datetime | None, end: datetime | None) -> tuple[datetime, datetime]:
    low, high = (span(day.date().isoformat()) if day else None for day in (start, end))
    bounds = low[0] if low else BEGIN, high[1] if high else END
    if bounds[0] >= bounds[1]:
        raise Invalid("--from is after --to.")
    return bounds


def _show(made: Packet, form: str, base: str) -> None:
    if form == forms.NDJSON:
        for text in forms.lines(made):
            line(text)
    else:
        as_json(forms.whole(made, form, base))


def _show_withheld(made: Packet, json: bool) -> None:
    if json:
        as_json(forms.account(made))
        return
    rows = [
        (each.rule, each.type, each.category, each.element, each.decided, "" if count is None else count)
        for each, count in made.withheld.items()
    ]
    table(("rule", "type", "category", "element", "decided by", "count"), rows, numbers=("count",))
    say(f"{len(made.rows)} resources are in the packet, as of {made.moment:%Y-%m-%d %H:%M:%S} UTC.")


def _refuse_another(out: Path) -> None:
    """Raise Conflict for a folder that holds anything: two packets would be taken for one, and they may be of two members."""
    if out.is_dir() and any(out.iterdir()):
        raise Conflict(f"{out} holds something already: a packet gets a folder of its own.")


def _to_file(made: Packet, form: str, base: str, out: Path) -> Path:
    texts = forms.lines(made) if form == forms.NDJSON else [_pretty(forms.whole(made, form, base))]
    return _written(out, texts)


def _to_folder(made: Packet, form: str, base: str, out: Path) -> Path:
    """The account, and beside it the Bundle, or a file of lines for each type."""
    out.mkdir(mode=0o700, parents=True, exist_ok=True)
    _written(out / "account.json", [_pretty(forms.account(made))])
    if form == forms.NDJSON:
        for type in sorted({row.type for row in made.rows}):
            _written(out / f"{type}.ndjson", _texts(made.rows, type))
    else:
        _written(out / "bundle.json", [_pretty(forms.BUNDLES[form](made, base))])
    return out


def _texts(rows: Iterable[Row], type: str) -> Iterator[str]:
    return (row.text for row in rows if row.type == type)


def _pretty(raw: Raw) -> str:
    return laid_out(dumps(raw))


def _written(path: Path, texts: Iterable[str]) -> Path:
    with whole(path) as file:
        for text in texts:
            file.write(f"{text}\n".encode())
    return path
