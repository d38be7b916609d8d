"""`genwright new`: a recipe for data as it lies there."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genwright.core.errors import RecipeError

if TYPE_CHECKING:
    from genwright.recipes.inspect import Inspection

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def command(
    name: Annotated[str | None, typer.Argument(help="What to call the recipe and its model.")] = None,
    folder: Annotated[Path | None, typer.Option("--from", help="The folder, or file, with the data.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe of that name.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of recipes and do nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Look at a folder or file and write a commented recipe for it, which `genwright run NAME` takes as it stands."""
    if schema:
        from genwright.recipes import recipe

        typer.echo(json.dumps(recipe.schema(), indent=2))
        return
    if name is None or folder is None:
        raise RecipeError("A recipe needs a name and a folder.", do="genwright new NAME --from FOLDER")
    if not NAME.fullmatch(name):
        allowed = "up to 63 small letters, digits, and _ - inside, e.g. my-birds"
        raise RecipeError("A recipe cannot have that name.", got=repr(name), allowed=allowed)
    path, found = write(name, folder.expanduser(), force)
    show(path, found, as_json)


def write(name: str, folder: Path, force: bool) -> tuple[Path, Inspection]:
    """Write the recipe and the schema for editors; the recipe's path and what was found."""
    from genwright.core.durable import write_json, write_text
    from genwright.core.workspace import Workspace
    from genwright.recipes import recipe
    from genwright.recipes.inspect import inspect
    from genwright.recipes.suggest import Machine, Proposal, relative

    workspace = Workspace()
    path = workspace.recipes / f"{name}.yaml"
    if path.exists() and not force:
        raise RecipeError(f"There is a recipe called {name} already.", got=path, do="choose another name, or add --force")
    found = inspect(folder)
    text = Proposal(name, relative(folder, workspace.root), found, Machine.here()).text()
    workspace.settle()
    write_json(workspace.state / "recipe.schema.json", recipe.schema())
    write_text(path, text)
    return path, found


def show(path: Path, found: Inspection, as_json: bool) -> None:
    """What was found and what to do next, for a person or as JSON."""
    summary: dict[str, Any] = {
        "recipe": str(path),
        "content": found.kind,
        "form": found.form,
        "why": found.claim.why,
        "considered": {name: claim.why for name, claim in found.considered.items()},
        "items": found.items,
        "bytes": found.bytes,
        "duplicates": found.duplicates,
        "unreadable": found.unreadable,
        "notes": found.notes,
        "others": found.others,
        "labels": found.classes,
        "given": found.given,
        "skipped": found.skipped,
    }
    if as_json:
        typer.echo(json.dumps(summary, indent=2))
        return
    typer.echo(f"read as {found.form}: {found.claim.why}")
    for name, claim in found.considered.items():
        typer.echo(f"  could be read as {name}: {claim.why}")
    typer.echo(f"{found.items:,} items of kind {found.kind}, {found.bytes:,} bytes in all")
    if found.classes:
        told = "taken as labels" if found.labelled else "which no family here can use"
        typer.echo(f"  with {len(found.classes)} labels, {told}")
    for column, n in found.given.items():
        typer.echo(f"  {n:,} with a {column}, by which a model can be asked")
    if found.skipped:
        name, reason = next(iter(found.skipped.items()))
        typer.echo(f"  {len(found.skipped):,} left out, e.g. {name!r}: {reason}")
    for note in found.notes:
        typer.echo(f"  {note}")
    if found.others:
        typer.echo("  not read: " + ", ".join(f"{count} x {ending}" for ending, count in found.others.items()))
    if found.unreadable:
        kinds = Counter(reason.partition(":")[0] for reason in found.unreadable.values())
        common = kinds.most_common(1)[0][0]
        name, reason = next(one for one in found.unreadable.items() if one[1].partition(":")[0] == common)
        typer.echo(f"  {len(found.unreadable)} of {found.sampled} that were opened cannot be used, e.g. {name!r}: {reason}")
    typer.echo(f"Wrote {path}; read it, then `genwright run {path.stem}`.")
