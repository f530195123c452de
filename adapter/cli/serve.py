"""`casebridge serve`: the FHIR server."""

from importlib import import_module
from threading import Thread

import click

from adapter.care import check
from adapter.cli.connection import repository
from adapter.cli.exits import until_asked_to_stop
from adapter.cli.terminal import say
from adapter.config import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address, on loopback only: nobody is asked who they are.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
@click.option("--threads", default=8, show_default=True, type=click.IntRange(1, 64), help="How many requests are worked on at once.")
def serve(host: str, port: int, threads: int) -> None:
    """Serve FHIR R4, the case API and the console here.

    At http://HOST:PORT/fhir, /api and /, until stopped with Ctrl-C or SIGTERM: what is being answered then is finished, within 30
    seconds; a second one does not wait. docs/serving.md tells of probes (/health, /ready), metrics (/metrics), logs and a reverse proxy.

    \b
      casebridge serve --port 8080

    CASEBRIDGE_ORIGINS names the origins (space between) whose web pages may use it; CASEBRIDGE_INTEGRITY=on refuses writes that leave
    references to what is not here. CASEBRIDGE_HANDLING=lenient leaves search parameters that are not known out, instead of refusing them.
    While it runs it follows up on what comes in (docs/follow-up.md).
    Subscribers are told of changes (docs/subscriptions.md) on this machine, and at the https URLs that CASEBRIDGE_SUBSCRIBERS names.
    CASEBRIDGE_URL is the address of a reverse proxy before it; CASEBRIDGE_LOG=INFO logs every request. It does not start
    while a file of care knowledge cannot be used (casebridge care check).
    """
    # What the server needs costs every other command half a second; here it is read while the embedded store starts.
    reading = Thread(target=import_module, args=("server",))
    reading.start()
    settings = Settings.from_env()
    check.refuse()
    with repository() as opened:
        reading.join()
        from adapter.cli.watch import watching
        from adapter.store.published import publish
        from adapter.sync.subscriptions.turns import delivering, site
        from server import create_app, listen

        app = create_app(
            opened,
            origins=settings.origins,
            integrity=settings.integrity,
            handling=settings.handling,
            url=settings.url,
            subscribers=settings.subscribers,
            plans=settings.home / "plans",
        )
        publish(opened)
        with delivering(opened, site(settings)), watching(opened), listen(app, host, port, threads=threads) as server:
            at = f"http://{host}:{server.port}"
            say(f"FHIR R4 at {at}/fhir, the case API at {at}/api, the console at {at}/. Ctrl-C stops it.")
            until_asked_to_stop()
    say("Stopped.")
