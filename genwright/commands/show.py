"""`genwright show`: what a model makes, from what, and which options it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from genwright.sampling.task import Description, Input


def command(
    name: Annotated[str, typer.Argument(help="a registered model")],
    version: Annotated[int | None, typer.Option(help="a version other than the champion")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Show what a model can be asked for; it is what `genwright generate` takes."""
    import genwright

    model = genwright.load(name, version)
    if as_json:
        typer.echo(model.describe.model_dump_json(indent=2))
        return
    assert model.version is not None
    show(f"{name} version {model.version.version}", model.describe)


def show(title: str, told: Description) -> None:
    """For a person."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    console.print(Text(title, style="bold"), Text(f"makes {told.makes}, content of kind {told.kind}"))
    console.print(Text("  " + "; ".join(told.steps)))
    if told.inputs:
        table = Table("input", "", "give", title="Inputs", title_justify="left")
        for one in told.inputs:
            table.add_row(_flag(one), "needed" if one.needed else "", Text(one.words))
        console.print(table)
    else:
        console.print("It is given nothing.")
    table = Table("option", "", title="Options (--set)", title_justify="left")
    for option, words in told.options.items():
        table.add_row(option, Text(words))
    console.print(table)
    if told.between:
        console.print("Its latent space can be walked: --between FILE FILE")


def _flag(one: Input) -> str:
    named = f"--give {one.name}=..."
    return f"--{one.alias}\n{named}" if one.alias else named
