"""`genwright retrain`: ask for a retraining."""

from __future__ import annotations

from typing import Annotated

import typer

from genwright.commands.run import here
from genwright.core.workspace import Workspace


def command(
    name: Annotated[str, typer.Argument(help="a recipe")],
    why: Annotated[str, typer.Option(help="the reason, for the ledger and the page of the run")] = "asked for by hand",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Collect what is new, train on from the champion or afresh, whichever does better in a trial, and let the gate decide.

    Where `genwright up` (or a configured server) serves the recipe, it is done there; else here and now.
    """
    from genwright.adapters.prefect.deployments import deployments
    from genwright.recipes.recipe import load

    workspace = Workspace()
    load(workspace.recipes / f"{name}.yaml")
    with deployments(workspace) as served:
        started = served.retrain(name, why) if served is not None and served.served(name) else None
    if started is None:
        here(name, going_on=True, as_json=as_json)
    elif as_json:
        typer.echo(started.model_dump_json(indent=2))
    elif started.merged:
        typer.echo(f"A retraining of {name} is under way and stands for this one: {started.url}")
    else:
        typer.echo(f"A retraining of {name} was asked for: {started.url}")
