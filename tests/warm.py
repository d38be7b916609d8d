"""Command lines of Genwright, each in a process of its own that a warm one forks: torch, MLflow and Prefect are imported once,
and not for every command of every test. What Prefect read from the environment when it was imported, it reads again in each.

`python -m tests.warm` reads a JSON object a line (`arguments`, `environment`, `folder`, and `told`, a folder for what is said
on stdout and stderr) and answers each with a process id, then with an exit code. It ends with the process that asks.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import sys
import threading
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Never
from unittest.mock import patch

from genwright.adapters.prefect import server
from genwright.core.workspace import Workspace

WARM = (
    *("genwright.adapters.mlflow.registry", "genwright.adapters.mlflow.runs", "genwright.reports.report"),
    *("genwright.evaluation.evaluate", "genwright.sampling.model", "genwright.training.race"),
    *("sklearn.calibration", "sklearn.cluster", "sklearn.svm", "matplotlib.font_manager", "dvc.repo"),
    "torch._dynamo",  # which any optimizer and any model without memory imports
    *("genwright.flows.produce", "genwright.flows.retrain"),
)


def warm() -> None:
    """Import what commands need. It is looked through for garbage no more, and so copied into no process by that."""
    with TemporaryDirectory() as home, patch.dict(os.environ, server.environment(Workspace(Path(home)))):
        for module in WARM:
            importlib.import_module(module)
    gc.freeze()


def main() -> None:
    warm()
    for line in sys.stdin:
        child = os.fork()
        if not child:
            become(json.loads(line))
        print("pid", child, flush=True)
        _, status = os.waitpid(child, 0)
        print("code", os.waitstatus_to_exitcode(status), flush=True)


def become(asked: dict[str, Any]) -> Never:
    """Be `python -m genwright` with these arguments, in that folder and environment; it ends as Python does, but for clearing
    what was imported."""
    os.chdir(asked["folder"])
    os.environ.clear()
    server.settle(asked["environment"])
    sys.path[0] = asked["folder"]
    sys.argv = ["genwright", *asked["arguments"]]
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(Path(asked["told"]) / name, os.O_WRONLY | os.O_CREAT), descriptor)
    code: object = 0
    try:
        runpy.run_module("genwright", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
    finally:
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    main()
