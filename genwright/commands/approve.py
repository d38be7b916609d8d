"""`genwright approve`: let the version that waits become champion."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    name: Annotated[str, typer.Argument(help="a model whose new version waits for a person")],
    why: Annotated[str, typer.Option(help="the reason, for the ledger")] = "approved",
) -> None:
    """Approve the version that passed the gate and waits."""
    typer.echo(answer(name, "approve", why))


def answer(name: str, decision: str, why: str) -> str:
    """Send the answer to the flow run that waits for it, or act on it here where none does; what came of it, in words.

    Raises ModelError when nothing waits.
    """
    from genwright.adapters.mlflow.lineage import untainted
    from genwright.adapters.mlflow.registry import Registry
    from genwright.adapters.prefect.deployments import deployments
    from genwright.core.errors import ModelError
    from genwright.core.who import person
    from genwright.core.workspace import Workspace
    from genwright.lifecycle.promotion import promote

    workspace = Workspace()
    with deployments(workspace) as served:
        page = served.answer(name, decision, why, person()) if served is not None and served.served(name) else None
    if page is not None:
        return f"Answered; the run goes on: {page}"
    registry = Registry(workspace)
    waiting = registry.ledger(name).asked()
    if waiting is None:
        raise ModelError(f"No version of {name} waits for an answer.", do=f"`genwright models {name}` shows what there is")
    version, champion = registry.versions.get(name, waiting), registry.champion(name)
    if decision == "reject":
        registry.reject(version, why, person())
        return f"{name} version {waiting} is rejected; the champion stays."
    promote(registry, version, [untainted(registry)], expected=champion.version if champion else None, why=why)
    return f"{name} version {waiting} is the champion now."
