"""`genwright diff`: two versions of a model side by side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from genwright.core.errors import DataError, ModelError
from genwright.core.workspace import Settings, Workspace

if TYPE_CHECKING:
    from genwright.adapters.mlflow.registry import Registry
    from genwright.data.dataset import Dataset
    from genwright.reports.comparison import Compared


def command(
    name: Annotated[str, typer.Argument(help="a registered model")],
    before: Annotated[str, typer.Argument(help="a version, e.g. 3 or v3")],
    after: Annotated[str, typer.Argument(help="another version, e.g. 7 or v7")],
    show: Annotated[bool, typer.Option("--open", help="open the page in the browser")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON document on stdout")] = False,
) -> None:
    """Write a page that compares two versions: recipe, data, measures, and samples of both from the same seeds."""
    from genwright.adapters.mlflow.registry import Registry
    from genwright.models.device import prepare
    from genwright.recipes.upkeep import Canary
    from genwright.reports.comparison import write

    workspace = Workspace()
    registry = Registry(workspace)
    sides = (_side(registry, name, before), _side(registry, name, after))
    path = workspace.state / "diffs" / f"{name}-{sides[0].version.version}-{sides[1].version.version}.html"
    canaries = [Canary.model_validate(given) for given in (sides[1].recipe or {}).get("canaries", [])]
    write(path, sides, canaries, _data(workspace, sides[1]), str(prepare(Settings())))
    if show:
        typer.launch(path.as_uri())
    versions = [side.version.version for side in sides]
    typer.echo(json.dumps({"name": name, "versions": versions, "page": str(path)}) if as_json else str(path))


def _data(workspace: Workspace, side: Compared) -> Dataset | None:
    """The data that a version was made from, as it sees them; None where they are gone."""
    from genwright.adapters.dvc.data import Data
    from genwright.data.dataset import Dataset
    from genwright.models.composition import described
    from genwright.recipes.members import recipe_of

    try:
        folder = Data(workspace).export(recipe_of(side.version.name), side.version.data)
    except DataError:
        return None
    return Dataset(folder, described(side.folder).view)


def _side(registry: Registry, name: str, text: str) -> Compared:
    from genwright.adapters.dvc.data import Data
    from genwright.adapters.mlflow.registry import CHALLENGER, CHAMPION, PREVIOUS
    from genwright.adapters.mlflow.runs import RECIPE, Runs
    from genwright.recipes.members import recipe_of
    from genwright.reports.comparison import Compared

    digits = text.removeprefix("v")
    if not digits.isdigit():
        raise ModelError("That is no version.", got=text, allowed="a number, e.g. 3 or v3")
    version = registry.versions.get(name, int(digits))
    folder, uses = registry.versions.opened(version)
    recipe = Runs(registry.workspace).read_text(version.run, RECIPE)
    known = {v.digest: v.contents for v in Data(registry.workspace).versions(recipe_of(name))}
    return Compared(
        version=version,
        aliases=[alias for alias in (CHAMPION, PREVIOUS, CHALLENGER) if registry.alias(name, alias) == version.version],
        tags=registry.versions.tags(version),
        recipe=json.loads(recipe) if recipe else None,
        contents=known.get(version.data),
        folder=folder,
        uses=uses,
    )
