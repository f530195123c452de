"""`casebridge serve`: the FHIR server."""

from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

import click

from adapter.care import check
from adapter.cli.connection import repository
from adapter.cli.exits import until_asked_to_stop
from adapter.cli.terminal import say
from adapter.config import Settings
from adapter.errors import Forbidden
from adapter.fhir.jwks import fetch
from adapter.fhir.keys import keys_named
from adapter.fhir.tls import is_loopback
from adapter.store.repository import Repository

if TYPE_CHECKING:
    from server.auth.gate import Gate


# The keys by which apps know that it was this server that said who a person is: `casebridge keys rotate issuer`.
_ISSUER = "issuer"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address; without --auth on loopback only.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64), help="How many requests are worked on at once.")
@click.option("--auth/--no-auth", default=False, show_default=True, help="Whether callers are asked who they are.")
def serve(host: str, port: int, threads: int, auth: bool) -> None:
    """Serve FHIR R4, the case API and the console here.

    At http://HOST:PORT/fhir, /api and /, until stopped with Ctrl-C or SIGTERM: what is being answered then is finished, within 30
    seconds; a second one does not wait. docs/serving.md tells of probes (/health, /ready), metrics (/metrics), logs and a reverse proxy.

    \b
      casebridge serve --port 8080
      CASEBRIDGE_URL=https://fhir.example casebridge serve --auth

    With --auth programs need an access token and people log in (docs/security.md); without, nobody is asked who they are, and it
    listens on this machine alone. To listen beyond it, it has to be known by an address with https, CASEBRIDGE_URL. CASEBRIDGE_SITE names
    what the organisation that keeps the data goes by, such as Organization/city: consents may name it as their custodian.

    CASEBRIDGE_ORIGINS names the origins (space between) whose web pages may use it; CASEBRIDGE_INTEGRITY=on refuses writes that leave
    references to what is not here. CASEBRIDGE_HANDLING=lenient leaves search parameters that are not known out, instead of refusing them.
    While it runs it follows up on what comes in (docs/follow-up.md).
    Subscribers are told of changes (docs/subscriptions.md) on this machine, and at the https URLs that CASEBRIDGE_SUBSCRIBERS names.
    Exports that are asked for ($export, docs/export.md) are written below CASEBRIDGE_EXPORTS. CASEBRIDGE_URL is the address of a reverse
    proxy before it; CASEBRIDGE_LOG=INFO logs every request. It does not start while a file of care knowledge cannot be used (casebridge
    care check).
    """
    # What the server needs costs every other command half a second; here it is read while the embedded store starts.
    reading = Thread(target=import_module, args=("server",))
    reading.start()
    settings = Settings.from_env()
    check.refuse()
    if auth and not is_loopback(host.strip("[]")) and not (settings.url or "").startswith("https://"):
        raise Forbidden(
            "Beyond this machine tokens and passwords would go in clear: put a proxy with TLS before it, and set CASEBRIDGE_URL."
        )
    with repository() as opened:
        reading.join()
        from adapter.cli.watch import watching
        from adapter.store.published import publish
        from adapter.sync.exporting.turns import exporting
        from adapter.sync.subscriptions.turns import delivering, site
        from adapter.sync.workers.worker import offer_by
        from server import create_app, listen

        folder = settings.export_folder(opened.database.name)
        app = create_app(
            opened,
            origins=settings.origins,
            integrity=settings.integrity,
            handling=settings.handling,
            url=settings.url,
            subscribers=settings.subscribers,
            plans=settings.home / "plans",
            gate=_gate(opened, settings) if auth else None,
            exports=folder,
        )
        publish(opened)
        offer = offer_by(settings.workers, opened.database.name) if settings.workers else None
        exports = exporting(opened, folder, offer=offer)
        with delivering(opened, site(settings)), watching(opened), exports, listen(app, host, port, threads=threads, gated=auth) as server:
            at = f"http://{host}:{server.port}"
            asked = "Everybody is asked who they are." if auth else "Nobody is asked who they are: for this machine alone."
            say(f"FHIR R4 at {at}/fhir, the case API at {at}/api, the console at {at}/. {asked} Ctrl-C stops it.")
            until_asked_to_stop()
    say("Stopped.")


def _gate(opened: Repository, settings: Settings) -> "Gate":
    from server.auth.gate import Gate

    return Gate(opened, keys_named(_ISSUER), fetch, site=settings.site)
