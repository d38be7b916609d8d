"""A retraining that was asked for and has not ended: what a killed one leaves, for the next worker to take up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from genwright.core import stored
from genwright.core.errors import TrainingError
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace
from genwright.lifecycle.run import newest, reached

MOST = 5  # times a retraining is taken up without getting further


class Request(Stored):
    """`flow_run` is the one that works on it. `progress` is how far that found it, `attempts` how often it was found so."""

    form = "request"
    mend = "remove the file and ask for the retraining again"

    name: str
    why: str
    asked: str
    flow_run: str
    attempts: int = 1
    progress: str = ""
    data: str | None = None


@contextmanager
def requested(workspace: Workspace, name: str, why: str, flow_run: str, cancelled: Callable[[str], bool]) -> Iterator[Request]:
    """The request for the length of the block: a new one, or one that a flow run left unfinished (unless that was
    `cancelled`), with its reason and the data it had got to. It is settled when the block ends, also with an error; a
    process that is killed or asked to stop leaves it.

    Raises TrainingError for one that dies again and again at the same place.
    """
    path = _path(workspace, name)
    left = read(workspace, name)
    if left is not None and not cancelled(left.flow_run):
        request = _taken_up(workspace, left).model_copy(update={"flow_run": flow_run})
    else:
        request = Request(name=name, why=why, asked=datetime.now(UTC).isoformat(), flow_run=flow_run)
    if request.attempts > MOST:
        path.unlink()
        raise TrainingError(
            f"The retraining of {name} died {MOST} times at the same place ({request.progress or 'before it began'}).",
            do="look at the log of `genwright up`, mend the cause, and ask for it again",
        )
    stored.write(path, request)
    try:
        yield request
    except Exception:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def read(workspace: Workspace, name: str) -> Request | None:
    """The unfinished retraining of a recipe; None where there is none, or what is left of it cannot be read."""
    return stored.readable(Request, _path(workspace, name))


def unfinished(workspace: Workspace) -> list[str]:
    """The recipes whose retraining began and has not ended, also where the request itself cannot be read any more."""
    return sorted(file.stem for file in (workspace.state / "requests").glob("*.json"))


def _path(workspace: Workspace, name: str) -> Path:
    return workspace.state / "requests" / f"{name}.json"


def _taken_up(workspace: Workspace, request: Request) -> Request:
    found = newest(workspace, request.name)
    if found is None or (found[0] / "run.json").stat().st_mtime < datetime.fromisoformat(request.asked).timestamp():
        return request.model_copy(update={"attempts": request.attempts + 1})
    folder, begun = found
    checkpoints = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("checkpoints/[0-9]*"))
    progress = ", ".join([reached(folder), *checkpoints])
    attempts = request.attempts + 1 if progress == request.progress else 1
    return request.model_copy(update={"attempts": attempts, "progress": progress, "data": begun.data})
