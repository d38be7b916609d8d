"""What is to be said of a workspace's data, and of the remote that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late

from genwright.adapters.dvc.data import Data
from genwright.adapters.dvc.stages import Stages, using_remote
from genwright.core.errors import GenwrightError
from genwright.core.folder_hash import tree
from genwright.core.workspace import Workspace
from genwright.lifecycle.doctor import Check

SECONDS = 10.0  # that a remote is given to answer


def check(workspace: Workspace) -> Iterator[Check]:
    """Whether the data that lies in the workspace is what was made, every byte read, and the default remote can be listed."""
    if not (workspace.root / ".dvc" / "config").is_file():
        yield Check(what="data", state="ok", found="nothing is collected yet")
        return
    yield from _recipes(workspace)
    asking = ThreadPoolExecutor(1)
    try:
        yield Check(what="data", state="ok", found=asking.submit(_remote, workspace).result(SECONDS))
    except Late:
        do = "see whether it is up; `dvc remote default --unset` goes on without it"
        yield Check(what="data", state="problem", found=f"the data remote does not answer within {SECONDS:.0f} s", do=do)
    except GenwrightError as error:
        yield Check.problem("data", error)
    finally:
        asking.shutdown(wait=False, cancel_futures=True)


def _recipes(workspace: Workspace) -> Iterator[Check]:
    data = Data(workspace)
    for folder in sorted(path for path in workspace.data.glob("*") if path.is_dir()):
        try:
            data.versions(folder.name)
            digest = data.current(folder.name)
        except GenwrightError as error:
            yield Check.problem("data", error)
            continue
        clean = workspace.clean(folder.name)
        if digest is not None and clean.is_dir() and tree(clean).digest != digest:
            found = f"{clean} is not what was made ({digest[:12]})"
            yield Check(what="data", state="note", found=found, do="nothing: the next run makes it anew")


def _remote(workspace: Workspace) -> str:
    """What is found, for a person. Raises ServiceError."""
    with Stages(workspace).repo() as repo:
        name = repo.config["core"].get("remote")
        if not name:
            return "kept in the workspace alone (no DVC remote is set)"
        with using_remote(repo, name):
            remote = repo.cloud.get_remote_odb(name)
            remote.fs.makedirs(remote.path)
            count = len(remote.fs.ls(remote.path))
        return f"remote {name} at {remote.path} answers ({count} entries)"
