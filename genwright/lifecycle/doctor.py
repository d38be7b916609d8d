"""What this machine and workspace offer, what is missing, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from genwright import __version__
from genwright.core.errors import FormatError, GenwrightError
from genwright.core.record import Record
from genwright.core.stored import altered
from genwright.core.workspace import Settings, Workspace
from genwright.data.records import CONTENTS, DatasetContents, contents_of
from genwright.lifecycle import servers
from genwright.lifecycle.run import failed, newest
from genwright.recipes.recipe import load

GIB = 2**30
MUCH = 0.02  # of what was collected: more than that left out is said


class Check(Record):
    """One line of a check-up. A `note` costs something; a `problem` must be mended before a run can work."""

    what: str
    state: Literal["ok", "note", "problem"]
    found: str
    do: str = ""

    @classmethod
    def problem(cls, what: str, error: GenwrightError) -> Check:
        """An error as a line."""
        return cls(what=what, state="problem", found=f"{error.what} {error.got or ''}".strip(), do=error.do or "")


Probe = Callable[[str], str | None]
"""None when a service answers at an address, else the reason."""


Store = Callable[[Workspace], Iterator[Check]]
"""Opens something that the workspace keeps, and says what it found."""


def check(workspace: Workspace, settings: Settings, probes: dict[str, Probe], stores: Sequence[Store]) -> Iterator[Check]:
    """Every check, cheap ones first. `probes` asks the services of this name in PREFECT_API_URL and MLFLOW_TRACKING_URI."""
    yield Check(what="python", state="ok", found=f"{platform.python_version()} at {sys.executable}")
    yield Check(what="genwright", state="ok", found=f"{__version__}, workspace {workspace.root}")
    yield from _machine(workspace)
    yield from _torch(settings)
    yield _up(workspace)
    for name, variable in (("prefect", "PREFECT_API_URL"), ("mlflow", "MLFLOW_TRACKING_URI")):
        yield _service(name, variable, probes[name])
    for store in stores:
        yield from store(workspace)
    for path in sorted(workspace.recipes.glob("*.yaml")):
        yield from _recipe(path, workspace)
    yield from _records(workspace)
    yield from _clients()


def _machine(workspace: Workspace) -> Iterator[Check]:
    free = shutil.disk_usage(workspace.root).free / GIB
    do = "free some space: data, checkpoints and models take a few GiB" if free < 2 else ""
    yield Check(what="disk", state="problem" if free < 0.5 else "note" if do else "ok", found=f"{free:.1f} GiB free", do=do)
    memory = psutil.virtual_memory().available / GIB
    do = "close other programs: Prefect, MLflow and PyTorch take 1 to 2 GiB" if memory < 2 else ""
    yield Check(what="memory", state="note" if do else "ok", found=f"{memory:.1f} GiB available", do=do)
    writable = os.access(workspace.root, os.W_OK)
    do = "" if writable else "set GENWRIGHT_WORKSPACE to a folder that can be written"
    yield Check(what="workspace", state="ok" if writable else "problem", found=str(workspace.root), do=do)


def _torch(settings: Settings) -> Iterator[Check]:
    import torch

    from genwright.models.device import choose, fast_bfloat16

    device = choose(settings)
    kind = torch.cuda.get_device_name() if device.type == "cuda" else f"{settings.threads} threads"
    fast = "bfloat16 is fast" if fast_bfloat16(device) else "bfloat16 is not used"
    yield Check(what="torch", state="ok", found=f"{version('torch')} on {device} ({kind}; {fast})")
    if device.type == "cpu" and torch.version.cuda is None and shutil.which("nvidia-smi"):
        yield Check(
            what="gpu", state="note", found="there is one, but PyTorch is a CPU build", do="lift the torch pin: see the README"
        )


def _up(workspace: Workspace) -> Check:
    try:
        there = servers.running(workspace)
    except FormatError as error:
        return Check(what="up", state="problem", found=error.what, do=error.do or "")
    if there is not None:
        return Check(what="up", state="ok", found=f"process {there.process}: {there.prefect}, {there.mlflow}")
    do = "`genwright up` retrains on schedules and events" if any(workspace.recipes.glob("*.yaml")) else ""
    return Check(what="up", state="ok", found="does not run; nothing is retrained by itself", do=do)


def _service(name: str, variable: str, probe: Probe) -> Check:
    address = os.environ.get(variable)
    if not address:
        return Check(what=name, state="ok", found=f"embedded in the workspace ({variable} is not set)")
    problem = probe(address)
    if problem is None:
        return Check(what=name, state="ok", found=f"{address} answers")
    return Check(what=name, state="problem", found=f"{address}: {problem}", do=f"start it, correct {variable}, or unset it")


def _recipe(path: Path, workspace: Workspace) -> Iterator[Check]:
    """Whether a recipe can be read, what of its data was left out, and why its last run gave no model."""
    name = path.stem
    try:
        recipe = load(path)
        contents = contents_of(workspace.clean(name)) if (workspace.clean(name) / CONTENTS).is_file() else None
    except GenwrightError as error:
        yield Check.problem(f"recipe {name}", error)
        return
    if contents is not None and (told := _left_out(contents)):
        yield Check(what=f"data {name}", state="note", found=told, do=f"`genwright data show {name}` says which, and why")
    last = newest(workspace, recipe.name)
    if last is not None and (why := failed(last[0])):
        do = "lower `train.learning_rate` or `select.dials`, or see `genwright status`"
        yield Check(what=f"run {name}", state="note", found=why, do=do)


def _left_out(contents: DatasetContents) -> str:
    """What is not there of what was collected, in words; "" where it is of no weight."""
    dropped, kept = sum(contents.dropped.values()), sum(contents.splits.values())
    rules = ", ".join(f"{n:,} by {rule}" for rule, n in sorted(contents.dropped.items(), key=lambda told: -told[1]))
    lacks = [f"{column.missing:,} of {kept:,} have no {name}" for name, column in contents.columns.items() if column.missing]
    heavy = dropped > MUCH * contents.collected
    return "; ".join([f"{dropped:,} of {contents.collected:,} items are left out ({rules})", *lacks][not heavy :])


def _records(workspace: Workspace) -> Iterator[Check]:
    """What was written down of runs."""
    records = sorted((workspace.state / "runs").glob("*/*.json"))
    if wrong := [path for path in records if altered(path)]:
        found = f"{len(wrong)} of {len(records)} records of runs are not what was written, e.g. {wrong[0]}"
        yield Check(what="runs", state="note", found=found, do="nothing: what they said is found out anew when it is needed")


def _clients() -> Iterator[Check]:
    uses = {"git": "not needed to run, but keeps recipes and data versions", "npm": "npm", "dpkg-deb": "apt"}
    for program, use in uses.items():
        where = shutil.which(program)
        need = use if program == "git" else f"needed by sources of packages of {use}"
        yield Check(what=program, state="ok" if where else "note", found=where or "not found", do="" if where else need)
    for package in ("prefect", "mlflow", "dvc"):
        try:
            yield Check(what=package, state="ok", found=version(package))
        except PackageNotFoundError:
            yield Check(what=package, state="problem", found="not installed", do="pip install -c constraints.txt -e .")
