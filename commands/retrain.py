"""`genwright retrain`: ask for a retraining."""

from __future__ import annotations

from typing import Annotated

import typer

from genwright.workspace import Settings, Workspace


def command(
    name: Annotated[str, typer.Argument(help="a recipe")],
    why: Annotated[str, typer.Option(help="the reason, for the ledger and the page of the run")] = "asked for by hand",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Collect what is new, train on from the champion or afresh, whichever does better in a trial, and let the gate decide.

    Where `genwright up` (or a configured server) serves the recipe, it is done there; else here and now.
    """
    from genwright.adapters.deployments import deployments
    from genwright.recipe import load

    workspace = Workspace()
    load(workspace.recipes / f"{name}.yaml")
    with deployments(workspace) as served:
        started = served.retrain(name, why) if served is not None and served.served(name) else None
    if started is None:
        _here(name, why, workspace, as_json)
    elif as_json:
        typer.echo(started.model_dump_json(indent=2))
    elif started.merged:
        typer.echo(f"A retraining of {name} is under way and stands for this one: {started.url}")
    else:
        typer.echo(f"A retraining of {name} was asked for: {started.url}")


def _here(name: str, why: str, workspace: Workspace, as_json: bool) -> None:
    from commands.run import REFUSED, show
    from genwright.adapters import prefect
    from genwright.durable import exclusive

    busy = f"Another process is running {name} in this workspace; wait for it, or stop it."
    with prefect.server(workspace) as server:
        from flows.produce import produce
        from genwright.recipe import load

        recipe = load(workspace.recipes / f"{name}.yaml")
        with exclusive(workspace.lock(f"run-{name}"), busy=busy):
            server.wait()
            outcome = produce(recipe, workspace, Settings(), None, True)
    show(outcome, as_json)
    if not outcome.stands:
        raise typer.Exit(REFUSED)
