"""Clean: a split, encoded data set and the version that names its bytes, as a data stage."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.dvc.data import Data
from genwright.core import stored
from genwright.core.workspace import Workspace
from genwright.data.records import DatasetVersion, contents_of
from genwright.recipes import stages
from genwright.recipes.recipe import Recipe


@task(name="clean", cache_policy=NO_CACHE)
def clean(recipe: Recipe, workspace: Workspace) -> DatasetVersion:
    """Have DVC run the stage where the raw items or the rules changed. The bytes are verified before they are handed on,
    and pushed where a remote is set."""
    stored.write(workspace.data / recipe.name / "clean.json", stages.cleaning(recipe))
    data = Data(workspace)
    digest = data.reproduce(recipe.name, "clean")
    data.stages.verify(recipe.name, digest)
    data.stages.push(recipe.name)
    return described(recipe, workspace, digest)


@task(name="restore", cache_policy=NO_CACHE)
def restore(recipe: Recipe, workspace: Workspace, digest: str) -> DatasetVersion:
    """Bring an old data version back instead of collecting and cleaning anew; `digest` may be the beginning of its hash."""
    return described(recipe, workspace, Data(workspace).restore(recipe.name, digest).digest)


def described(recipe: Recipe, workspace: Workspace, digest: str) -> DatasetVersion:
    """The record of the data version that lies in the workspace now."""
    folder = workspace.clean(recipe.name)
    return DatasetVersion(
        recipe=recipe.name,
        digest=digest,
        path=folder.relative_to(workspace.root).as_posix(),
        contents=contents_of(folder),
    )
