"""Pages that runs have written, found again by recipe."""

from __future__ import annotations

from pathlib import Path

from genwright.core import stored
from genwright.core.errors import RecipeError, nearest
from genwright.core.stored import Stored
from genwright.core.workspace import Workspace

PAGE, RECORD = "report.html", "report"


class Written(Stored):
    """That a run wrote and logged its page: of which recipe, from what, and the sheet of samples beside it."""

    form = "report"

    recipe: str
    inputs: str
    samples: str


def latest(workspace: Workspace, recipe: str) -> tuple[Path, Path]:
    """Page and samples of the newest run of a recipe. Raises RecipeError where there are none, naming what there is."""
    found = []
    for file in (workspace.state / "runs").glob(f"*/{RECORD}.json"):
        written = stored.readable(Written, file)
        if written is not None and (file.parent / PAGE).is_file():
            found.append((file.stat().st_mtime_ns, written, file.parent))
    mine = [entry for entry in found if entry[1].recipe == recipe]
    if not mine:
        there = sorted({written.recipe for _, written, _ in found})
        raise RecipeError(
            f"There is no report of {recipe}{nearest(recipe, there)}.",
            allowed=", ".join(there) or None,
            do=f"`genwright run {recipe}` writes one",
        )
    _, written, folder = max(mine, key=lambda entry: entry[0])
    return folder / PAGE, folder / written.samples
