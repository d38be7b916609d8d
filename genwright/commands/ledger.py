"""`genwright ledger`: who changed which champion, when and why."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from genwright.core.errors import GenwrightError, ModelError
from genwright.core.workspace import Workspace


def command(
    name: Annotated[str | None, typer.Argument(help="a registered model; with --verify the default is all")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="check that no line was changed, removed or inserted")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Show the ledger of a model, oldest entry first, or verify the ledgers. Exit code 1 where one was tampered with."""
    from genwright.adapters.mlflow.registry import Registry

    registry = Registry(Workspace())
    if verify:
        names = registry.versions.names() if name is None else [name]
        wrong = {each: problems for each in names if (problems := registry.verify(each))}
        if as_json:
            typer.echo(json.dumps({each: wrong.get(each, []) for each in names}, indent=2))
        if wrong:
            told = "\n".join(f"{each}: {problem}" for each, problems in wrong.items() for problem in problems)
            raise GenwrightError("A ledger was tampered with.", got=told, do="compare it with a copy from a backup")
        if not as_json:
            typer.echo(f"{len(names)} ledger(s) are as they were written.")
        return
    if name is None:
        raise ModelError("Say of which model.", allowed=", ".join(registry.versions.names()) or None)
    entries = registry.ledger(name).entries()
    if as_json:
        typer.echo(json.dumps([entry.model_dump() for entry in entries], indent=2))
        return
    if not entries:
        raise registry.versions.unknown(name)
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("when", "who", "what", "version", "champion before", "why")
    for entry in entries:
        cells = (entry.at[:19], entry.who, entry.what, str(entry.after or "none"), str(entry.before or "none"), entry.why)
        table.add_row(*(Text(cell) for cell in cells))
    Console().print(table)
