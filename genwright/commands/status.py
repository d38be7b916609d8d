"""`genwright status`: where every recipe of the workspace stands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from genwright.core.workspace import Workspace
from genwright.evaluation.records import tagged


def command(
    name: Annotated[str | None, typer.Argument(help="One recipe; default: all.")] = None,
    page: Annotated[bool, typer.Option("--page", help="Write a page of what the last run makes while it trains.")] = False,
    opened: Annotated[bool, typer.Option("--open", help="Write that page and open it in the browser.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Show recipes, their last run and how far it came, and the champion with its measures."""
    workspace = Workspace()
    if page or opened:
        written = look(workspace, name)
        if opened:
            typer.launch(written.as_uri())
        typer.echo(json.dumps({"page": str(written)}) if as_json else written)
        return
    rows = [standing(workspace, recipe) for recipe in _names(workspace, name)]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    if not rows:
        Console().print("There are no recipes here. `genwright new NAME --from FOLDER` writes one.")
        return
    table = Table("recipe", "last run", "data", "champion", "measures on held-out items", title=f"{workspace.root}")
    for row in rows:
        measures = ", ".join(f"{key} {value}" for key, value in row["measures"].items())
        champion = "none" if row["champion"] is None else f"version {row['champion']}"
        if row["foreign"] is not None:
            champion += f"; the alias names version {row['foreign']}, which Genwright did not register"
        table.add_row(row["recipe"], row["run"] or "never run", (row["data"] or "")[:12], champion, measures)
    Console().print(table)


def standing(workspace: Workspace, recipe: str) -> dict[str, Any]:
    """Run, data and champion of one recipe. Raises ServiceError when MLflow cannot be read."""
    from genwright.adapters.mlflow.registry import CHAMPION, Registry
    from genwright.lifecycle.run import newest, reached

    found = newest(workspace, recipe)
    registry = Registry(workspace)
    champion, named = registry.champion(recipe), registry.alias(recipe, CHAMPION)
    tags = {} if champion is None else registry.versions.tags(champion)
    return {
        "recipe": recipe,
        "run": _at(workspace, recipe, None if found is None else reached(found[0]), registry.ledger(recipe).asked()),
        "data": None if found is None else found[1].data,
        "champion": None if champion is None else champion.version,
        "foreign": named if named in registry.versions.foreign(recipe) else None,
        "measures": tagged(tags),
    }


def look(workspace: Workspace, name: str | None) -> Path:
    """A page of what the newest run of a recipe makes while it trains. Raises RecipeError where there is no run."""
    from genwright.core.errors import RecipeError
    from genwright.lifecycle.run import begun, reached
    from genwright.reports.strip import strip, write

    if name is None:
        raise RecipeError("Which recipe's run should be looked at?", do="genwright status NAME --page")
    [recipe] = _names(workspace, name)
    runs = begun(workspace, recipe)
    if not runs:
        raise RecipeError(f"There is no run to look at of {recipe}.", do=f"genwright run {recipe}")
    newest: dict[str, Path] = {}  # of each of several models, in a folder of its own
    for folder, told in runs:
        newest.setdefault(told.model, folder)
    strips = []
    for model, folder in newest.items():
        rounds, racers = (sorted(folder.glob(pattern)) for pattern in ("round-*", "race/*"))
        names = {at: f"{model} {at.relative_to(folder)}".strip() for at in [*rounds[::-1], *racers]}
        strips += [(name, made) for at, name in names.items() if (made := strip(at))]
    return write(workspace.state / "looks" / f"{recipe}-training.html", recipe, reached(runs[0][0]), strips)


def _at(workspace: Workspace, recipe: str, last: str | None, asked: int | None) -> str | None:
    """Where a run is: at work, waiting for a person, or how far the last one came."""
    from genwright.core.durable import holder

    process = holder(workspace.lock(f"run-{recipe}"))
    if asked is not None:
        return f"version {asked} waits for approval: `genwright approve {recipe}`"
    return last if process is None else f"at work now (process {process}), {last or 'collecting'}"


def _names(workspace: Workspace, name: str | None) -> list[str]:
    from genwright.core.errors import RecipeError, nearest

    there = sorted(p.stem for p in workspace.recipes.glob("*.yaml"))
    if name is None:
        return there
    if name not in there:
        raise RecipeError(f"There is no recipe {name!r}{nearest(name, there)}.", allowed=", ".join(there) or None)
    return [name]
