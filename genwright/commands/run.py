"""`genwright run`: the whole pipeline for one recipe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from genwright.core.workspace import Settings, Workspace

if TYPE_CHECKING:
    from genwright.lifecycle.records import Outcome

REFUSED = 3  # exit code when the gate did not let the model through


def command(
    recipe: Annotated[str, typer.Argument(help="Name of a recipe in recipes/, or the path of a YAML file.")],
    override: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the recipe.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Train on this data version (a hash, or its beginning).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")] = False,
) -> None:
    """Collect, clean, select, train, evaluate, register, gate, promote: whatever of it is not done yet.

    Exit code 0: the champion stands; 3: the gate refused the model; 1: an error with what to do about it.
    """
    here(recipe, override, data=data, as_json=as_json)


def here(
    recipe: str,
    override: list[str] | None = None,
    *,
    data: str | None = None,
    going_on: bool = False,
    as_json: bool = False,
) -> None:
    """Run a recipe in this process and show what came of it; `going_on` as in `flows.produce`."""
    from genwright.adapters.prefect.server import server as prefect_server
    from genwright.core.durable import exclusive

    workspace, settings = Workspace(), Settings()
    path = find(recipe, workspace)
    workspace.settle()
    with prefect_server(workspace) as server:  # starts while the rest is imported
        from genwright.recipes.recipe import load

        loaded = load(path, override)
        busy = f"Another process is running {loaded.name} in this workspace; wait for it, or stop it."
        with exclusive(workspace.lock(f"run-{loaded.name}"), busy=busy):
            from genwright.flows.produce import produce

            server.wait()
            outcome = produce(loaded, workspace, settings, data, going_on)
    show(outcome, as_json)
    if not outcome.stands:
        raise typer.Exit(REFUSED)


def find(recipe: str, workspace: Workspace) -> Path:
    """The file of a recipe given by name or by path."""
    given = Path(recipe)
    return given if given.suffix in (".yaml", ".yml") else workspace.recipes / f"{recipe}.yaml"


def show(outcome: Outcome, as_json: bool) -> None:
    """The end of a run for a person, or as JSON."""
    if as_json:
        typer.echo(outcome.model_dump_json(indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print()
    if not outcome.steps_trained:
        console.print(f"Nothing was trained: same recipe, same data ({outcome.data[:12]}), same release as before.")
    console.print(f"[bold]{outcome.verdict}[/]")
    if outcome.evaluation is not None:
        table = Table("measure", "value", "95 % interval", "real data", title=f"{outcome.name} on held-out items")
        for name, measured in outcome.evaluation.measures.items():
            floor = "" if measured.floor is None else f"{measured.floor:.4g}"
            table.add_row(name, f"{measured.value:.4g}", f"{measured.low:.4g} to {measured.high:.4g}", floor)
        console.print(table)
    for what, where in (("champion", outcome.champion_title), ("samples", outcome.samples), ("report", outcome.report)):
        if where:
            console.print(f"{what:>9}  {where}", soft_wrap=True)
