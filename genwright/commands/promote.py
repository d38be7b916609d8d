"""`genwright promote`: make a version the champion."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from genwright.core.errors import ModelError


def command(
    name: Annotated[str, typer.Argument(help="a registered model")],
    version: Annotated[int, typer.Argument(help="the version to promote")],
    why: Annotated[str | None, typer.Option(help="the reason, for the ledger; needed for a version the gate refused")] = None,
    expect: Annotated[
        int | None, typer.Option(help="the version that is to be champion until then, or nothing is done")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Make a version the champion, after its files are verified and sampled from."""
    from genwright.core.workspace import Workspace
    from genwright.lifecycle.ledger import Ledger

    # What there is to be replaced is read first of all: whoever promotes while this starts up came first.
    ledger = Ledger.of(Workspace(), name)
    seen = ledger.champion
    from genwright.adapters.mlflow.lineage import untainted
    from genwright.adapters.mlflow.registry import CHAMPION, GATE, Registry
    from genwright.lifecycle.promotion import promote

    registry = Registry(Workspace())
    wanted = registry.versions.get(name, version)
    if expect is None:  # where nobody came first, the alias may have been moved by other means
        expect = registry.standing(name) if ledger.champion == seen else seen
    if registry.alias(name, CHAMPION) == version:
        raise ModelError(f"Version {version} is the champion of {name} already.")
    verdict = registry.versions.tags(wanted).get(GATE, "the gate has not judged it")
    if verdict != "passed" and not why:
        raise ModelError(
            f"{name} version {version} has not passed the gate.",
            got=verdict,
            do=f"`genwright promote {name} {version} --why 'REASON'` promotes it all the same",
        )
    reason = why or "promoted by hand; it had passed the gate"
    entry = promote(registry, wanted, [untainted(registry)], expected=expect, why=reason)
    if as_json:
        print(entry.model_dump_json())
    else:
        before = "there was none" if entry.before is None else f"it was version {entry.before}"
        Console().print(f"Version {version} is the champion of {name} now; {before}.", highlight=False)
