"""`genwright report`: where the page about the newest run of a recipe lies."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="a recipe that was run")],
    show: Annotated[bool, typer.Option("--open", help="open the page in the browser")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Print the path of the newest report of a recipe."""
    from genwright.core.workspace import Workspace
    from genwright.reports.latest import latest

    page, samples = latest(Workspace(), name)
    if show:
        typer.launch(page.as_uri())
    typer.echo(json.dumps({"recipe": name, "report": str(page), "samples": str(samples)}) if as_json else str(page))
