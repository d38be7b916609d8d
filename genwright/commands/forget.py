"""`genwright forget`: leave a file out of everything from now on."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from genwright.core.workspace import Workspace


def command(
    file: Annotated[str, typer.Argument(help="a file, an item's name (train.jsonl:12), or the SHA-256 of one that is gone")],
    why: Annotated[str, typer.Option(help="the reason")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Exclude a file, by its content hash, from every data version made from now on; say which models to retrain.

    A retraining then begins afresh, since the champion's weights bear on it, and need not beat that champion.
    """
    from genwright.adapters.mlflow.lineage import trace
    from genwright.adapters.mlflow.registry import Registry
    from genwright.data.forgotten import digest_of, forget
    from genwright.evaluation import memo

    workspace = Workspace()
    digest, name = digest_of(file, workspace)
    entry = forget(workspace, digest, name, why)
    memo.clear(workspace)
    names = trace(Registry(workspace), digest).to_retrain
    if as_json:
        typer.echo(json.dumps({**entry.model_dump(), "retrain": names}, indent=2))
        return
    typer.echo(f"{entry.name} ({digest[:12]}) is left out from now on: {entry.why}")
    for model in names:
        typer.echo(f"The champion of {model} learned from it: genwright retrain {model} --why 'forget {digest[:12]}'")
    if not names:
        typer.echo("No champion learned from it.")
    typer.echo(f"`genwright trace {file}` shows who did. Old data versions still hold it, until they are removed.")
