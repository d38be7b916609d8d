"""`genwright data`: the versions of a recipe's data, what is in them and what was dropped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from genwright.core.errors import DataError, Unreadable
from genwright.core.printable import printable

if TYPE_CHECKING:
    from genwright.data.modalities.base import Modality
    from genwright.data.quarantine import Looked
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
def show(
    name: Name,
    page: Annotated[bool, typer.Option("--page", help="write a page: items, a map of them, all that was dropped")] = False,
    opened: Annotated[bool, typer.Option("--open", help="write that page and open it in the browser")] = False,
    as_json: Json = False,
) -> None:
    """Show what the data holds now, and examples of what was dropped with the reason."""
    from genwright.core.workspace import Workspace
    from genwright.data.quarantine import examples
    from genwright.data.records import CONTENTS, contents_of

    folder = Workspace().clean(name)
    if not (folder / CONTENTS).is_file():
        raise _never_cleaned(name)
    if page or opened:
        _page(name, folder, opened, as_json)
        return
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


def _page(name: str, folder: Path, opened: bool, as_json: bool) -> None:
    """Write the page about what lies there now."""
    from genwright.adapters.dvc.data import Data
    from genwright.core.workspace import Workspace
    from genwright.reports.datasheet import gather, write

    workspace = Workspace()
    digest = Data(workspace).current(name) or ""
    path = write(gather(name, digest, folder), workspace.state / "looks" / f"{name}-data.html")
    if opened:
        typer.launch(path.as_uri())
    print(json.dumps({"page": str(path)})) if as_json else print(path)


@group.command("look")
def look(
    name: Name,
    rule: Annotated[str, typer.Option(help="what dropped them, as `genwright data show NAME` lists it")] = "near_duplicates",
    n: Annotated[int, typer.Option("-n", min=1, help="how many at most")] = 48,
    out: Annotated[Path, typer.Option(help="folder to write to")] = Path("dropped"),
    as_json: Json = False,
) -> None:
    """Look at what was dropped: on one sheet, each beside the item that it was taken for."""
    from genwright.core.workspace import Workspace
    from genwright.data.modalities.base import build
    from genwright.data.quarantine import look
    from genwright.data.records import CONTENTS, contents_of

    folder = Workspace().clean(name)
    if not (folder / CONTENTS).is_file():
        raise _never_cleaned(name)
    contents = contents_of(folder)
    if rule not in contents.dropped:
        raise DataError(f"Nothing was dropped by {rule!r}.", got=rule, allowed=", ".join(sorted(contents.dropped)) or "nothing")
    modality = build(contents.kind.part, folder / "columns" / contents.content)
    values, captions, unreadable = _readable(look(folder, contents.content, rule, n), modality)
    out.mkdir(parents=True, exist_ok=True)
    sheet = str(modality.preview(values, out / rule, captions)) if values else None
    if as_json:
        print(json.dumps({"sheet": sheet, "shown": captions, "unreadable": unreadable}, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in unreadable:
        console.print(Text(f"cannot be shown: {printable(line)}"))
    if sheet is not None:
        console.print(Text(f"{sheet}: {len(captions)} shown, = before the one that was kept"))
        if rule == "near_duplicates":
            console.print(Text("What is not the same comes back by `{kind: near_duplicates, keep: [NAME]}` in the recipe."))


def _readable(dropped: list[Looked], modality: Modality) -> tuple[list[Any], list[str], list[str]]:
    """What can be shown of dropped items and of those they were taken for, its captions, and why some cannot."""
    values, captions, unreadable = [], list[str](), list[str]()
    for one in dropped:
        pair = [(one.content, one.item.name), *([(one.twin, f"= {one.item.twin}")] if one.twin is not None else [])]
        try:
            values += [modality.read(data) for data, _ in pair]
        except Unreadable as error:
            unreadable.append(f"{one.item.name}: {error}")
            continue
        captions += [caption for _, caption in pair]
    return values, captions, unreadable


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
