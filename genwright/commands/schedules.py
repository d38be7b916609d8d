"""`genwright schedules`: when every recipe is retrained next."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genwright.core.record import Record
from genwright.core.workspace import Workspace

if TYPE_CHECKING:
    from genwright.recipes.recipe import Recipe


class Row(Record):
    """A recipe and when it is retrained; `next` is None where only an interval or an event decides."""

    recipe: str
    schedule: str | None
    next: str | None
    watched: list[str]
    every: str | None
    served: bool


def command(
    prefect_yaml: Annotated[bool, typer.Option("--prefect-yaml", help="write prefect.yaml, for workers elsewhere")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """List the schedules of all recipes, and what is watched between the slots."""
    from genwright.adapters.prefect.deployments import deployments
    from genwright.recipes.recipe import load

    workspace = Workspace()
    if prefect_yaml:
        typer.echo(f"Wrote {_twin(workspace)}.")
        return
    rows = []
    with deployments(workspace) as served:
        for path in sorted(workspace.recipes.glob("*.yaml")):
            recipe = load(path)
            here = served is not None and served.served(recipe.name)
            due = served.next_run(recipe.name) if served is not None and here else None
            rows.append(_row(recipe, here, due))
    if as_json:
        typer.echo(json.dumps([row.model_dump() for row in rows], indent=2))
    else:
        show(rows)


def _twin(workspace: Workspace) -> Path:
    from genwright.adapters.prefect import manifest
    from genwright.core.durable import write_text
    from genwright.recipes.recipe import load

    path = workspace.root / "prefect.yaml"
    write_text(path, manifest.prefect_yaml([load(file) for file in sorted(workspace.recipes.glob("*.yaml"))]))
    return path


def _row(recipe: Recipe, served: bool, due: datetime | None) -> Row:
    schedule, watch = recipe.schedule, recipe.watch
    if due is None and schedule is not None and not schedule.paused:
        due = schedule.next_after(datetime.now(UTC))
    return Row(
        recipe=recipe.name,
        schedule=None if schedule is None else schedule.words,
        next=None if due is None else due.astimezone().isoformat(timespec="minutes"),
        watched=[part.kind for part in watch.triggers],
        every=watch.every if watch.triggers else None,
        served=served,
    )


def show(rows: list[Row]) -> None:
    """The rows as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("recipe", "schedule", "next retraining", "watched", "served")
    for row in rows:
        watched = f"{', '.join(row.watched)} every {row.every}" if row.watched else "nothing"
        when = row.next or ("when the interval is over" if row.schedule else "when asked")
        table.add_row(row.recipe, row.schedule or "none", when, watched, "yes" if row.served else "no")
    console = Console()
    console.print(table)
    if not any(row.served for row in rows):
        console.print("Nothing runs by itself until `genwright up` does.")
