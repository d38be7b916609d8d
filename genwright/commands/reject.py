"""`genwright reject`: keep the version that waits from becoming champion."""

from __future__ import annotations

from typing import Annotated

import typer

from genwright.commands.approve import answer


def command(
    name: Annotated[str, typer.Argument(help="a model whose new version waits for a person")],
    why: Annotated[str, typer.Option(help="the reason, for the ledger")],
) -> None:
    """Reject the version that passed the gate and waits; it is not asked about again."""
    typer.echo(answer(name, "reject", why))
