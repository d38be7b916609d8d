"""`genwright schedule`: when a recipe is retrained."""

from __future__ import annotations

from typing import Annotated

import typer

from genwright.core.errors import RecipeError
from genwright.core.workspace import Workspace


def command(
    name: Annotated[str, typer.Argument(help="a recipe")],
    when: Annotated[str | None, typer.Argument(help="a cron line, e.g. '0 3 * * 1', or an interval, e.g. 6h")] = None,
    timezone: Annotated[str, typer.Option(help="time zone of the cron line")] = "UTC",
    pause: Annotated[bool, typer.Option("--pause", help="keep the schedule, and skip its slots")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="follow the schedule again")] = False,
    remove: Annotated[bool, typer.Option("--remove", help="have no schedule")] = False,
) -> None:
    """Write when to retrain into the recipe; a running `genwright up` follows within seconds."""
    from genwright.recipes.edit import put
    from genwright.recipes.recipe import load

    if sum([when is not None, pause, resume, remove]) != 1:
        raise RecipeError("Say one thing.", allowed="WHEN, --pause, --resume or --remove")
    path = Workspace().recipes / f"{name}.yaml"
    recipe = load(path)
    if when is not None:
        key = "cron" if len(when.split()) > 1 else "every"
        value = {key: when, "timezone": timezone} if key == "cron" else {key: when}
    elif remove:
        value = None
    else:
        if recipe.schedule is None:
            raise RecipeError(f"{name} has no schedule.", do=f"`genwright schedule {name} '0 3 * * 1'` sets one")
        value = recipe.schedule.model_copy(update={"paused": pause}).model_dump(exclude_defaults=True)
    put(path, "schedule", value)
    schedule = load(path).schedule
    typer.echo(f"{name}: {schedule.words if schedule else 'no schedule; retrained when asked or triggered'}")
