"""Command lines of Genwright, one after the other in one process with one Prefect server, so that imports are paid for once.

`python -m tests.driver` reads a JSON list of lists of command lines and writes a JSON line for each of those lists: the exit
code, stdout, stderr, and what was said of an error, of each command line up to the first that fails.
"""

from __future__ import annotations

import json
import sys

from typer.testing import CliRunner

from genwright.adapters.prefect.server import server
from genwright.commands.app import build
from genwright.core.workspace import Workspace
from tests.warm import warm


def main() -> None:
    asked = json.load(sys.stdin)
    if asked:
        warm()
    application, runner = build(), CliRunner()
    with server(Workspace()) as serving:
        serving.wait()
        for commands in asked:
            told = []
            for command in commands:
                done = runner.invoke(application, command)
                said = "" if done.exception is None else f"{type(done.exception).__name__}: {done.exception}"
                told.append({"code": done.exit_code, "stdout": done.stdout, "stderr": done.stderr, "error": said})
                if done.exit_code:
                    break
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
