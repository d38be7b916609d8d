"""What is to be said of the remote that a workspace keeps its data in."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late

from genwright.adapters.dvc.stages import Stages, using_remote
from genwright.core.errors import GenwrightError
from genwright.core.workspace import Workspace
from genwright.lifecycle.doctor import Check

SECONDS = 10.0  # that a remote is given to answer


def check(workspace: Workspace) -> Iterator[Check]:
    """Whether the default remote can be listed."""
    if not (workspace.root / ".dvc" / "config").is_file():
        yield Check(what="data", state="ok", found="nothing is collected yet")
        return
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
