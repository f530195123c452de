"""`casebridge serve`: the FHIR server."""

import os
from collections.abc import Callable
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

import click

from adapter.access.policy import policies
from adapter.care import check
from adapter.cli.connection import repository
from adapter.cli.exits import until_asked_to_stop
from adapter.cli.terminal import say
from adapter.config import Oidc, Settings, care_folder
from adapter.errors import Forbidden
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import keys_named
from adapter.fhir.oidc import redeem
from adapter.fhir.secret import Secret
from adapter.fhir.tls import is_loopback
from adapter.store.repository import Repository

if TYPE_CHECKING:
    from server.auth.gate import Gate
    from server.limits import Limits


# The keys by which apps know that it was this server that said who a person is: `casebridge keys rotate issuer`.
_ISSUER = "issuer"
_BY_ENVIRONMENT = "CASEBRIDGE_OIDC_SECRET"
_NOBODY_YET = """
Nobody is registered yet, so nobody is let in. In another terminal, with the same settings:
  casebridge user add dana --role case-manager --fhir-user {somebody}
  casebridge client add …        for a program: docs/security.md
or stop it and start it again with --no-auth, which asks nobody, for this machine alone."""


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address; with --no-auth on loopback only.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64), help="How many requests are worked on at once.")
@click.option("--auth/--no-auth", default=True, show_default=True, help="Whether callers are asked who they are.")
def serve(host: str, port: int, threads: int, auth: bool) -> None:
    """Serve FHIR R4, the case API and the console here.

    At http://HOST:PORT/fhir, /api and /, until stopped with Ctrl-C or SIGTERM: what is being answered then is finished, within 30
    seconds; a second one does not wait. docs/serving.md tells of probes (/health, /ready), metrics (/metrics), logs and a reverse proxy.

    \b
      casebridge serve --port 8080
      CASEBRIDGE_URL=https://fhir.example casebridge serve
      casebridge serve --no-auth

    Programs need an access token (casebridge client add) and people log in (casebridge user add): docs/security.md, also for an OpenID
    Provider, which CASEBRIDGE_OIDC_ISSUER names. With --no-auth nobody is asked who they are, and it listens on this machine alone. To
    listen beyond it, it has to be known by an address with https, CASEBRIDGE_URL. CASEBRIDGE_SITE names what the organisation that keeps
    the data goes by, such as Organization/city: consents may name it as their custodian.

    CASEBRIDGE_ORIGINS names the origins (space between) whose web pages may use it; CASEBRIDGE_INTEGRITY=on refuses writes that leave
    references to what is not here. CASEBRIDGE_HANDLING=lenient leaves search parameters that are not known out, instead of refusing them.
    While it runs it follows up on what comes in (docs/follow-up.md).
    Subscribers are told of changes (docs/subscriptions.md) on this machine, and at the https URLs that CASEBRIDGE_SUBSCRIBERS names.
    Exports that are asked for ($export, docs/export.md) are written below CASEBRIDGE_EXPORTS. CASEBRIDGE_URL is the address of a reverse
    proxy before it; CASEBRIDGE_LOG=INFO logs every request. How often callers may ask and what a search may cost: CASEBRIDGE_RATE,
    CASEBRIDGE_ADDRESS_RATE, CASEBRIDGE_SCAN (docs/limits.md). It does not start while a file of care knowledge cannot be used (casebridge
    care check), nor while a policy of who sees what cannot (docs/access.md).
    """
    # What the server needs costs every other command half a second; here it is read while the embedded store starts.
    reading = Thread(target=import_module, args=("server",))
    reading.start()
    settings = Settings.from_env()
    check.refuse()
    policies(care_folder())
    if auth and not is_loopback(host.strip("[]")) and not (settings.url or "").startswith("https://"):
        raise Forbidden(
            "Beyond this machine tokens and passwords would go in clear: put a proxy with TLS before it, and set CASEBRIDGE_URL."
        )
    with repository() as opened:
        reading.join()
        from adapter.cli.audit import anchoring
        from adapter.cli.watch import watching
        from adapter.store.cost import LOOKED_AT
        from adapter.store.published import publish
        from adapter.sync.exporting.turns import exporting
        from adapter.sync.subscriptions.signature import site_key
        from adapter.sync.subscriptions.turns import delivering, site
        from adapter.sync.workers.worker import offer_by
        from server import create_app, listen
        from server.auth.subscribers import Subscribers

        folder, limits = settings.export_folder(opened.database.name), _limits(settings, auth)
        gate = _gate(opened, settings, limits) if auth else None
        app = create_app(
            opened,
            origins=settings.origins,
            integrity=settings.integrity,
            handling=settings.handling,
            url=settings.url,
            subscribers=settings.subscribers,
            plans=settings.home / "plans",
            gate=gate,
            limits=limits,
            scan=settings.scan if settings.scan is not None else LOOKED_AT if auth else 0,
            key=site_key(settings),
            exports=folder,
        )
        publish(opened)
        offer = offer_by(settings.workers, opened.database.name) if settings.workers else None
        exports = exporting(opened, folder, offer=offer)
        first = _NOBODY_YET.format(somebody=_somebody(opened)) if gate and not gate.registers.known() else ""
        with (
            delivering(opened, site(settings, Subscribers(opened, settings.site).standing)),
            watching(opened),
            anchoring(opened),
            exports,
            listen(app, host, port, threads=threads, gated=auth) as server,
        ):
            at = f"http://{host}:{server.port}"
            asked = "Everybody is asked who they are." if auth else "Nobody is asked who they are (--no-auth): for this machine alone."
            say(f"FHIR R4 at {at}/fhir, the case API at {at}/api, the console at {at}/. {asked} Ctrl-C stops it.{first}")
            until_asked_to_stop()
    say("Stopped.")


def _limits(settings: Settings, auth: bool) -> "Limits":
    from server.limits import KNOWN, UNKNOWN, Limits

    known, unknown = (KNOWN, UNKNOWN) if auth else (0, 0)
    return Limits(known if settings.rate is None else settings.rate, unknown if settings.address_rate is None else settings.address_rate)


def _gate(opened: Repository, settings: Settings, limits: "Limits") -> "Gate":
    """Who may come in. Raises Invalid for settings by which nobody could, and for a secret that cannot be read."""
    from server.auth.gate import Gate
    from server.auth.oidc import Provider

    oidc = Provider(settings.oidc, _secret(settings.oidc), fetch, redeem, opened.clock) if settings.oidc else None
    passwords = settings.passwords
    return Gate(opened, keys_named(_ISSUER), fetch, site=settings.site, limits=limits, oidc=oidc, passwords=passwords)


def _secret(oidc: Oidc) -> Callable[[], str] | None:
    """What reads the secret by which the provider knows this server, if there is one. Raises Invalid where it cannot be read."""
    if not oidc.secret_file and not os.environ.get(_BY_ENVIRONMENT):
        return None
    secret = Secret(file=oidc.secret_file) if oidc.secret_file else Secret(env=_BY_ENVIRONMENT)
    # Now, and not when the first person comes.
    secret.read()
    return secret.read


def _somebody(opened: Repository) -> str:
    """The reference of a case manager in the record, so that whoever is new can log in as one; where there is none, what one is like."""
    return next((stored.reference for stored in opened.scan("Practitioner", {"concept": "case_manager"})), "Practitioner/dana")
