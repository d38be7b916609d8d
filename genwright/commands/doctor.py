"""`genwright doctor`: what is configured, reachable and missing, and what to do."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from genwright.core.workspace import Settings, Workspace


def command(as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False) -> None:
    """Check machine, workspace and services. Exit code 1 when something must be mended before a run can work."""
    from genwright.adapters.dvc import checkup as data
    from genwright.adapters.mlflow import checkup as models
    from genwright.adapters.mlflow.connection import answers
    from genwright.adapters.prefect import checkup as runs
    from genwright.adapters.prefect import server
    from genwright.lifecycle.doctor import check

    probes = {"prefect": server.answers, "mlflow": answers}
    checks = list(check(Workspace(), Settings(), probes, [runs.check, models.check, data.check]))
    if as_json:
        typer.echo(json.dumps([f.model_dump() for f in checks], indent=2))
    else:
        from rich.console import Console

        console = Console(highlight=False)
        colours = {"ok": "green", "note": "yellow", "problem": "bold red"}
        for f in checks:
            do = f"  -> {f.do}" if f.do else ""
            console.print(f"[{colours[f.state]}]{f.state:>8}[/]  {f.what:<10} {f.found}{do}", soft_wrap=True)
    if any(f.state == "problem" for f in checks):
        raise typer.Exit(1)
