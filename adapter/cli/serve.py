"""`casebridge serve`: the FHIR server."""

import click

from adapter.cli.connection import repository
from adapter.cli.terminal import say


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address, on loopback only: nobody is asked who they are.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one.")
def serve(host: str, port: int) -> None:
    """Serve FHIR R4 on this machine.

    At http://HOST:PORT/fhir, until stopped with Ctrl-C.

    \b
      casebridge serve --port 8080
    """
    # Flask and waitress cost every other command a quarter of a second.
    from server import create_app, listen

    with repository() as opened:
        server = listen(create_app(opened), host, port)
        try:
            say(f"FHIR R4 at http://{host}:{server.effective_port}/fhir. Ctrl-C stops it.")
            server.run()
        finally:
            server.close()
    say("Stopped.")
