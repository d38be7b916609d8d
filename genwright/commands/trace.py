"""`genwright trace`: which data and which models saw a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from genwright.core.workspace import Workspace

if TYPE_CHECKING:
    from genwright.adapters.mlflow.lineage import Trace

THROUGH = {
    "training": "learned from it",
    "weights": "began from weights that had learned from it",
    "part": "is made over a version that had learned from it",
    "choice": "was chosen by it, and did not learn from it",
    "measure": "was measured on it, and did not learn from it",
}


def command(
    file: Annotated[str, typer.Argument(help="a file, an item's name (train.jsonl:12), or the SHA-256 of one that is gone")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """List the data versions that hold a file, by its content hash, and the model versions that saw it."""
    from genwright.adapters.mlflow.lineage import trace
    from genwright.adapters.mlflow.registry import Registry
    from genwright.data.forgotten import digest_of

    workspace = Workspace()
    digest, _ = digest_of(file, workspace)
    found = trace(Registry(workspace), digest)
    typer.echo(found.model_dump_json(indent=2)) if as_json else show(found)


def show(found: Trace) -> None:
    """For a person."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"content hash {found.digest}", soft_wrap=True)
    if not found.held:
        console.print("No data version holds it, so no model saw it.")
        return
    data = Table("recipe", "data version", "made", "where")
    for held in found.held:
        data.add_row(held.recipe, held.data[:12], held.recorded[:16], held.fate)
    console.print(data)
    models = Table("model", "version", "", "had to do with it")
    for learned in found.learned:
        models.add_row(learned.name, str(learned.version), "champion" if learned.champion else "", THROUGH[learned.through])
    console.print(models)
    for name in sorted({held.recipe for held in found.held} - set(found.to_retrain)):
        console.print(f"The champion of {name} did not learn from it.")
