"""What the data stages share: they are run as programs of their own, one at a time for a recipe."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from genwright.core import garbage, stored
from genwright.core.durable import exclusive
from genwright.core.errors import DataError, GenwrightError
from genwright.core.stored import S
from genwright.core.workspace import Workspace

ALIVE = "GENWRIGHT_ALIVE"
"""Names a file that whoever started the stage holds locked for as long as it lives."""


def run(arguments: Sequence[str], work: Callable[[str, Workspace], None]) -> int:
    """Do the work for the recipe named; 1 and the message on stderr when it fails."""
    garbage.patient()
    (recipe,) = arguments
    workspace = Workspace()
    if os.environ.get(ALIVE):
        threading.Thread(target=_die_with, args=(Path(os.environ[ALIVE]),), daemon=True).start()
    try:
        with exclusive(workspace.lock(f"data-{recipe}"), busy="", wait=True):
            work(recipe, workspace)
    except GenwrightError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def spec_of(kind: type[S], path: Path, recipe: str) -> S:
    """The spec a task wrote for a stage. Raises DataError when there is none, FormatError when it cannot be read."""
    if not path.is_file():
        raise DataError(f"There is no {path}.", do=f"`genwright run {recipe}` writes it and runs this stage")
    return stored.read(kind, path)


def _die_with(alive: Path) -> None:
    """End when the starter's lock comes free: it was killed, and whoever comes next must not find this stage writing."""
    with exclusive(alive, busy="", wait=True):
        os._exit(1)
