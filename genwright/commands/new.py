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
    from genwright.core.workspace import Workspace
    from genwright.recipes.glimpse import Glimpse
    from genwright.recipes.inspect import Inspection
    from genwright.recipes.suggest import Proposal

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def command(
    name: Annotated[str | None, typer.Argument(help="What to call the recipe and its model.")] = None,
    place: Annotated[str | None, typer.Option("--from", help="The folder, file or address with the data.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe of that name.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Look, and write no recipe.")] = False,
    every: Annotated[bool, typer.Option("--all", help="Name all that is left out, not just an example.")] = False,
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON schema of recipes and do nothing else.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Look at a folder, a file or an address (https://, s3://, hf://datasets/...), say how it is read and what a model would
    see of it, and write a commented recipe for it, which `genwright run NAME` takes as it stands."""
    if schema:
        from genwright.recipes import recipe

        typer.echo(json.dumps(recipe.schema(), indent=2))
        return
    if name is None or place is None:
        raise RecipeError("A recipe needs a name and a place with data.", do="genwright new NAME --from PATH (or an address)")
    if not NAME.fullmatch(name):
        allowed = "up to 63 small letters, digits, and _ - inside, e.g. my-birds"
        raise RecipeError("A recipe cannot have that name.", got=repr(name), allowed=allowed)
    from genwright.core.workspace import Workspace
    from genwright.recipes.glimpse import glimpse
    from genwright.recipes.inspect import inspect
    from genwright.recipes.origin import Origin
    from genwright.recipes.suggest import Machine, Proposal

    workspace = Workspace()
    path = workspace.recipes / f"{name}.yaml"
    if path.exists() and not force and not dry_run:
        raise RecipeError(f"There is a recipe called {name} already.", got=path, do="choose another name, or add --force")
    origin = Origin.of(place, workspace)
    found = inspect(origin.files(workspace), workspace.state / "sources")
    proposal = Proposal(name, origin, found, Machine.here())
    text = proposal.text()
    seen = glimpse(proposal, workspace.state / "looks" / f"{name}.png")
    if not dry_run:
        write(path, text, workspace)
    if as_json:
        typer.echo(json.dumps({"recipe": None if dry_run else str(path), **told(proposal, seen)}, indent=2))
        return
    show(proposal, seen, every)
    typer.echo(f"{path} was not written" if dry_run else f"Wrote {path}; read it, then `genwright run {name}`.")


def write(path: Path, text: str, workspace: Workspace) -> None:
    """The recipe, and the schema for editors."""
    from genwright.core.durable import write_json, write_text
    from genwright.recipes import recipe

    workspace.settle()
    write_json(workspace.state / "recipe.schema.json", recipe.schema())
    write_text(path, text)


def told(proposal: Proposal, seen: Glimpse) -> dict[str, Any]:
    """What was found, as JSON."""
    from genwright.recipes.glimpse import histogram

    found = proposal.found
    return {
        "content": found.kind,
        "form": found.form,
        "why": found.claim.why,
        "considered": {name: claim.why for name, claim in found.considered.items()},
        "items": found.items,
        "bytes": found.bytes,
        "duplicates": found.duplicates,
        "near_duplicates": {
            "compared": found.compared,
            "found": len(found.alike),
            "across": [[met.name for met in pair] for pair in proposal.across],
        },
        "unreadable": found.unreadable,
        "skipped": found.skipped,
        "notes": found.notes,
        "others": found.others,
        "labels": found.classes,
        "given": found.given,
        "seen": [{"asked": asked, "made": made} for asked, made in seen.seen],
        "sheet": None if seen.sheet is None else str(seen.sheet),
        seen.unit: dict(histogram(seen.sizes)),
        "cut": seen.cut,
    }


def show(proposal: Proposal, seen: Glimpse, every: bool) -> None:
    """What was found, for a person."""
    found = proposal.found
    typer.echo(f"read as {found.form}: {found.claim.why}")
    for name, claim in found.considered.items():
        typer.echo(f"  could be read as {name}: {claim.why}")
    doubled = f", {found.duplicates:,} of them the same as another" if found.duplicates else ""
    typer.echo(f"{found.items:,} items of kind {found.kind}, {found.bytes:,} bytes in all{doubled}")
    if found.classes:
        used = "taken as labels" if found.labelled else "which no family here can use"
        commonest = sorted(found.classes.items(), key=lambda one: -one[1])
        named = ", ".join(f"{label} {n:,}" for label, n in commonest[: None if every else 6])
        typer.echo(f"  with {len(found.classes)} labels, {used}: {named}{'' if every or len(commonest) <= 6 else ', ...'}")
    for column, n in found.given.items():
        typer.echo(f"  {n:,} with a {column}, by which a model can be asked")
    for note in found.notes:
        typer.echo(f"  {note}")
    left_out(found, every)
    alike(proposal, every)
    glimpsed(seen)


def left_out(found: Inspection, every: bool) -> None:
    """What of the data does not become an item, or cannot be used."""
    if found.others:
        typer.echo("  not read: " + ", ".join(f"{count} x {ending}" for ending, count in found.others.items()))
    of = f"of {found.sampled} that were opened"
    for reasons, words in ((found.skipped, "left out"), (found.unreadable, f"{of} cannot be used")):
        if not reasons:
            continue
        kinds = Counter(reason.partition(":")[0] for reason in reasons.values())
        common = kinds.most_common(1)[0][0]
        shown = reasons if every else dict([next(one for one in reasons.items() if one[1].partition(":")[0] == common)])
        named = "; ".join(f"{name!r}: {reason}" for name, reason in shown.items())
        typer.echo(f"  {len(reasons):,} {words}{':' if every else ', e.g.'} {named}")


def alike(proposal: Proposal, every: bool) -> None:
    """Items that are nearly the same as another, above all where one of them is held out."""
    found, across = proposal.found, proposal.across
    if not found.alike:
        return
    looked = "the items" if found.compared >= found.items - found.duplicates else f"the first {found.compared:,} items"
    unless = ", unless what they are asked by differs" if found.given else ""
    typer.echo(f"  {len(found.alike):,} of {looked} are nearly the same as one before, and will be left out{unless}")
    if across:
        shown = across if every else across[:1]
        named = "; ".join(f"{one.name!r} and {other.name!r}" for one, other in shown)
        told = "one is held out and the other would be learned from" if len(across) == 1 else "one is held out, the other not"
        typer.echo(f"  of {len(across):,} of these pairs {told}; the held-out one stays: {named}")


def glimpsed(seen: Glimpse) -> None:
    """Some items as a model would see them."""
    from genwright.recipes.glimpse import bars

    typer.echo(f"{seen.unit} of {len(seen.sizes):,} items that were looked at:")
    for line in bars(seen.sizes):
        typer.echo(f"  {line}")
    if seen.cut is not None:
        items, text = seen.cut
        typer.echo(
            f"  the window of a model cuts {items:.0%} of the items, which is {text:.0%} of the text; raise `content.length`"
        )
    if seen.sheet is not None:
        typer.echo(f"as a model would see them: {seen.sheet}")
        return
    for place, (asked, made) in enumerate(seen.seen, start=1):
        typer.echo(f"--- item {place}, as a model would see it ---" + (f"\n{asked}\n  ->" if asked else ""))
        typer.echo(made.rstrip())
