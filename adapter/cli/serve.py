"""`casebridge serve`: the FHIR server."""

import click

from adapter.cli.connection import repository
from adapter.cli.terminal import say
from adapter.config import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address, on loopback only: nobody is asked who they are.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve FHIR R4 on this machine.

    At http://HOST:PORT/fhir, until stopped with Ctrl-C.

    \b
      casebridge serve --port 8080

    CASEBRIDGE_ORIGINS names the origins (space between) whose web pages may use it; CASEBRIDGE_INTEGRITY=on refuses writes that leave
    references to what is not here. CASEBRIDGE_HANDLING=lenient leaves search parameters that are not known out, instead of refusing them.
    """
    # Flask and waitress cost every other command a quarter of a second.
    from server import create_app, listen

    settings = Settings.from_env()
    with repository() as opened:
        server = listen(create_app(opened, origins=settings.origins, integrity=settings.integrity, handling=settings.handling), host, port)
        try:
            say(f"FHIR R4 at http://{host}:{server.effective_port}/fhir. Ctrl-C stops it.")
            server.run()
        finally:
            server.close()
    say("Stopped.")
