"""How a command ends: the exit codes, and the one line that a person reads where it failed."""

import signal
import traceback
from threading import Event

import click
from pymongo.errors import PyMongoError

from adapter.errors import CasebridgeError, StoreUnavailable
from adapter.log import event

CODES = {
    0: "all is well",
    1: "something does not hold: a conflict, a difference, a dead letter, a bad resource",
    2: "bad input: an option, a file, a name that does not exist",
    3: "the remote cannot be reached for now; try again later",
    4: "the remote refuses",
    5: "busy: another process does this work",
    6: "the store cannot be used",
    70: "a fault of casebridge itself",
    130: "stopped with Ctrl-C",
    143: "stopped by SIGTERM",
}

_TURN_SECONDS = 0.5
STOPPED = "Stopped. All that was reported done is saved; running the same command again goes on from there."


class Terminated(SystemExit):
    """SIGTERM, as an exception, so that what is open gets closed."""

    def __init__(self) -> None:
        super().__init__(143)


class Failure(click.exceptions.Exit):
    """The command ran to its end, and something does not hold."""

    def __init__(self) -> None:
        super().__init__(1)


class Guarded(click.Group):
    """A group of commands whose failures are one line on standard error and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """In the order of a day's work, not of the alphabet."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> None:
        try:
            super().invoke(ctx)
            return
        except CasebridgeError as error:
            code, line = error.exit_code, error.text
            _trace(ctx)
        except PyMongoError as error:
            # Its text can hold a document.
            code, line = StoreUnavailable.exit_code, f"The database failed ({type(error).__name__}); what was reported done is saved."
            _trace(ctx)
        except (KeyboardInterrupt, click.Abort, Terminated) as error:
            code, line = (143 if isinstance(error, Terminated) else 130), STOPPED
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError):
            raise
        except OSError as error:
            where = f" ({error.filename})" if error.filename else ""
            code, line = 2, f"{error.strerror or type(error).__name__}{where}"
            _trace(ctx)
        except Exception as error:  # noqa: BLE001 - the last resort: an unforeseen error's text can hold patient data
            event("command.failed", error=type(error).__name__)
            code, line = 70, f"A fault of casebridge ({type(error).__name__}). `casebridge --debug …` shows where."
            _trace(ctx)
        click.echo(f"casebridge: {line}", err=True)
        ctx.exit(code)


def _trace(ctx: click.Context) -> None:
    if ctx.params.get("debug"):
        traceback.print_exc()


def raise_terminated(*_: object) -> None:
    """For signal.signal: SIGTERM unwinds like Ctrl-C."""
    raise Terminated


def until_asked_to_stop() -> None:
    """Wait for Ctrl-C or SIGTERM, which then ends nothing by itself; the next one does, as in any other command."""
    asked = Event()
    former = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        # In turns, because a signal that comes just before the wait does not interrupt it.
        while not asked.wait(_TURN_SECONDS):
            pass
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
