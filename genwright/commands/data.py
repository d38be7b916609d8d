"""`genwright data`: the versions of a recipe's data, what is in them and what was dropped."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genwright.core.errors import DataError
from genwright.core.printable import printable

if TYPE_CHECKING:
    from genwright.data.records import DatasetContents

group = typer.Typer(help="Versions of the data: list them, look into one, bring one back.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="a recipe")]
Json = Annotated[bool, typer.Option("--json", help="one JSON document on stdout")]


@group.command("list")
def list_versions(name: Name, as_json: Json = False) -> None:
    """List the data versions of a recipe, oldest first."""
    from genwright.adapters.dvc.data import Data
    from genwright.core.workspace import Workspace

    data = Data(Workspace())
    versions, current = data.versions(name), data.current(name)
    if as_json:
        rows = [{**version.model_dump(mode="json"), "current": version.digest == current} for version in versions]
        print(json.dumps(rows, ensure_ascii=False))
        return
    if not versions:
        raise _never_cleaned(name)
    table = Table("", "version", "made", "train", "validation", "test", "dropped")
    for version in versions:
        contents = version.contents
        counts = [f"{n:,}" for n in (*(contents.splits[side] for side in ("train", "validation", "test")), _dropped(contents))]
        table.add_row("*" if version.digest == current else "", version.digest[:12], version.recorded[:16], *counts)
    console = Console()
    console.print(table)
    console.print(f"* is in data/{name} now. `genwright data restore {name} VERSION` brings another one back.", highlight=False)


@group.command("show")
def show(name: Name, as_json: Json = False) -> None:
    """Show what the data holds now, and examples of what was dropped with the reason."""
    from genwright.core.workspace import Workspace
    from genwright.data.quarantine import examples
    from genwright.data.records import CONTENTS, contents_of

    folder = Workspace().clean(name)
    if not (folder / CONTENTS).is_file():
        raise _never_cleaned(name)
    contents = contents_of(folder)
    dropped = examples(folder)
    if as_json:
        found = {rule: [item.model_dump() for item in items] for rule, items in dropped.items()}
        print(json.dumps({"contents": contents.model_dump(mode="json"), "examples": found}, ensure_ascii=False))
        return
    console = Console(highlight=False)
    kept = ", ".join(f"{side} {contents.splits[side]:,}" for side in ("train", "validation", "test"))
    console.print(f"{contents.collected:,} collected, {_dropped(contents):,} dropped; kept: {kept}")
    kinds = None if contents.label is None else contents.columns[contents.label].label_counts
    for title, counts in (("licences", contents.licences), ("sources", contents.sources), ("labels", kinds)):
        if counts:
            console.print(Text(f"{title}: " + ", ".join(f"{printable(key)} {n:,}" for key, n in counts.items())))
    for name, column in contents.columns.items():
        if column.missing:
            console.print(f"{column.missing:,} without {name}")
    if not dropped:
        return
    table = Table("dropped by", "items", "for example", "reason")
    for rule, items in dropped.items():
        for place, item in enumerate(items):
            first = (rule, f"{contents.dropped[rule]:,}") if place == 0 else ("", "")
            table.add_row(*first, Text(printable(item.name)), Text(printable(item.reason)))
    console.print(table)


@group.command("restore")
def restore(
    name: Name,
    version: Annotated[str, typer.Argument(help="hash of a version, or its beginning")],
    as_json: Json = False,
) -> None:
    """Bring an old version of the data back, its bytes verified."""
    from genwright.adapters.dvc.data import Data
    from genwright.core.workspace import Workspace

    restored = Data(Workspace()).restore(name, version)
    if as_json:
        print(restored.model_dump_json())
    else:
        Console().print(f"data/{name} holds version {restored.digest} now.", highlight=False)


def _dropped(contents: DatasetContents) -> int:
    return sum(contents.dropped.values())


def _never_cleaned(name: str) -> DataError:
    return DataError(f"There is no data of {name} yet.", do=f"`genwright run {name}` collects and cleans it")
