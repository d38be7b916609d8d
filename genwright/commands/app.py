"""The command line. A command is a module of this room: `command` is a function, or `group` a typer app of several."""

from __future__ import annotations

import importlib
import os
import pkgutil
import signal
import sys
import traceback
from datetime import UTC, datetime
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text
from typer.exceptions import TyperException

from genwright import __version__, commands
from genwright.core import garbage, machine
from genwright.core.errors import GenwrightError
from genwright.core.workspace import Workspace

ERROR, CRASH, REFUSED, INTERRUPTED = 1, 2, 3, 130
"""Exit codes: an error a person can act on, a fault of ours, a model the gate refused, Ctrl-C."""
INSIST = 5.0  # seconds


def build() -> typer.Typer:
    """The application with every command found."""
    app = typer.Typer(
        name="genwright",
        help="Prepares generative models and keeps them current: a recipe goes in, a promoted model comes out.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def about(
        version: Annotated[
            bool, typer.Option("--version", is_eager=True, callback=_release, help="Print the release and end.")
        ] = False,
    ) -> None:
        """Options of all commands."""

    for module in pkgutil.iter_modules(commands.__path__):
        found = importlib.import_module(f"genwright.commands.{module.name}")
        if hasattr(found, "group"):
            app.add_typer(found.group, name=module.name)
        elif hasattr(found, "command"):
            app.command(name=module.name)(found.command)
    return app


def _release(asked: bool) -> None:
    if asked:
        typer.echo(f"genwright {__version__}")
        raise typer.Exit


def main() -> None:
    """Entry point: errors become messages, and the traceback of a fault goes to a log file."""
    garbage.patient()
    console = Console(stderr=True)
    asked = stops()
    try:
        code = build()(standalone_mode=False)  # Ctrl-C comes back as an exit code
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        # A library interrupted halfway may go on and fail in its own way; that is no fault.
        code = INTERRUPTED if asked else explain(error, console)
    signal.setitimer(signal.ITIMER_REAL, 0)
    if code == INTERRUPTED:
        console.print("\nStopped. Nothing is lost: the same command continues where this one stopped.")
        # Prefect's threads may still be waiting for answers; what matters is on disk.
        sys.stdout.flush()
        os._exit(INTERRUPTED)
    sys.exit(code)


def stops() -> list[int]:
    """The signals to stop that come from now on; each raises KeyboardInterrupt, SIGTERM as Ctrl-C does. It is raised
    again every few seconds until the process ends: Python itself drops what is raised while it forks."""
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        signal.setitimer(signal.ITIMER_REAL, INSIST, INSIST)
        raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, stop)
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) != signal.SIG_IGN:  # as a shell asks for its background jobs
            signal.signal(number, stop)
    return came


def explain(error: Exception, console: Console) -> int:
    """Say what went wrong; the exit code."""
    if isinstance(error, TyperException):
        error.show()  # type: ignore[attr-defined]
        return int(error.exit_code)
    known = error if isinstance(error, GenwrightError) else machine.refusal(error)
    if known is not None:
        console.print(Text("error: ", style="bold red") + Text(str(known)), soft_wrap=True)  # commands in it can be copied
        return ERROR
    console.print(Text("fault: ", style="bold red") + Text(f"{type(error).__name__}: {error}"))
    console.print(f"  This is a fault of Genwright. {_logged(error)}; the same command may be tried again.")
    return CRASH


def _logged(error: Exception) -> str:
    """Where the traceback of a fault is, in words: in a file of the workspace, or where none can be written, here."""
    told = "".join(traceback.format_exception(error))
    try:
        log = Workspace().state / "logs" / f"crash-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(told)
    except (OSError, GenwrightError) as failed:
        return f"Its log cannot be written ({failed}), so here it is:\n{told}"
    return f"The traceback is in {log}"


if __name__ == "__main__":
    main()
