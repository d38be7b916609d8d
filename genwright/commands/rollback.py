"""`genwright rollback`: back to the champion before this one."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console


def command(
    name: Annotated[str, typer.Argument(help="a registered model")],
    why: Annotated[str, typer.Option(help="the reason, for the ledger")] = "rolled back by hand",
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Make the champion before this one champion again, after its files are verified and sampled from."""
    from genwright.adapters.mlflow.lineage import untainted
    from genwright.adapters.mlflow.registry import Registry
    from genwright.core.workspace import Workspace
    from genwright.lifecycle.promotion import rollback

    registry = Registry(Workspace())
    if altered := registry.verify(name):
        why += "; the ledger was altered, so the alias `previous` was followed"
    entry = rollback(registry, name, [untainted(registry)], why=why)
    if as_json:
        print(entry.model_dump_json())
    else:
        Console().print(
            f"Version {entry.after} is the champion of {name} again; it was version {entry.before}.", highlight=False
        )
        for line in altered:
            Console().print(f"The ledger was altered, so the alias `previous` was followed: {line}", highlight=False)
