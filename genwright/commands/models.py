"""`genwright models`: the versions of a model, and what became of each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field

from genwright.core.record import Record
from genwright.core.workspace import Workspace
from genwright.evaluation.records import tagged

if TYPE_CHECKING:
    from genwright.adapters.mlflow.registry import Registry
    from genwright.models.records import ModelVersion

ALIASES = ("champion", "previous", "challenger")
FOREIGN = "not registered by Genwright, which passes it over"


class Row(Record):
    """A version as the table shows it."""

    version: int
    aliases: list[str]
    model: str
    made: str = ""
    data: str = ""
    recipe: str = ""
    gate: str = ""
    measures: dict[str, str] = Field(default_factory=dict)
    licences: str = ""


def command(
    name: Annotated[str, typer.Argument(help="a registered model")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """List the versions of a model, newest last: aliases, data, verdict of the gate, measures, licences of the data."""
    from genwright.adapters.mlflow.registry import Registry

    registry = Registry(Workspace())
    versions, foreign = registry.versions.of(name), registry.versions.foreign(name)
    if not versions and not foreign:
        raise registry.versions.unknown(name)
    aliases = {alias: registry.alias(name, alias) for alias in ALIASES}
    named = {number: [a for a, pointed in aliases.items() if pointed == number] for number in aliases.values()}
    rows = [_row(registry, version, named.get(version.version, [])) for version in versions]
    rows += [Row(version=number, aliases=named.get(number, []), model=FOREIGN) for number in foreign]
    rows.sort(key=lambda row: row.version)
    if as_json:
        typer.echo(json.dumps([row.model_dump() for row in rows], indent=2))
        return
    show(rows)


def show(rows: list[Row]) -> None:
    """A line of facts a version, and one of measures below it, so that eighty columns are enough."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for row in rows:
        aliases = f" ({', '.join(row.aliases)})" if row.aliases else ""
        if row.model == FOREIGN:
            console.print(Text(f"version {row.version}{aliases}", style="bold"), Text(f"  {FOREIGN}"))
            continue
        console.print(Text(f"version {row.version}{aliases}", style="bold"), Text(f"  made {row.made}, {row.model}"))
        measures = ", ".join(f"{key} {float(value):.3g}" for key, value in row.measures.items())
        console.print(Text(f"  {measures}"))
        console.print(Text(f"  data {row.data[:8]} ({row.licences or 'licence unknown'}), gate: {row.gate}"))


def _row(registry: Registry, version: ModelVersion, aliases: list[str]) -> Row:
    tags = registry.versions.tags(version)
    return Row(
        version=version.version,
        aliases=aliases,
        made=registry.versions.made(version).astimezone().isoformat(sep=" ", timespec="minutes"),
        model=tags.get("genwright.model", ""),
        data=version.data,
        recipe=version.recipe,
        gate=tags.get("genwright.gate", "not judged"),
        measures=tagged(tags),
        licences=tags.get("genwright.licences", ""),
    )
