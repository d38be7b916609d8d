"""Collect: raw items with where they came from, as a data stage."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.dvc.data import Data
from genwright.core import stored
from genwright.core.workspace import Workspace
from genwright.data.collect import CollectSpec, retaining
from genwright.recipes import stages
from genwright.recipes.recipe import Recipe


@task(name="collect", cache_policy=NO_CACHE)
def collect(recipe: Recipe, workspace: Workspace) -> None:
    """Ask the sources what they hold; where that changed, have DVC run the stage. The raw bytes are verified."""
    data, path = Data(workspace), workspace.data / recipe.name / "collect.json"
    spec = stages.collecting(recipe, workspace)
    if recipe.retain and path.is_file():
        before = stored.read(CollectSpec, path)
        spec = retaining(spec, before, data.stages.collected(recipe.name))
    stored.write(path, spec)
    data.stages.verify(recipe.name, data.reproduce(recipe.name, "collect"), "collect")
