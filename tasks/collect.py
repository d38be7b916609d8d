"""Collect: raw items with where they came from, as a data stage."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright import collect as library
from genwright.adapters.dvc import Data
from genwright.durable import write_json
from genwright.recipe import Recipe
from genwright.workspace import Workspace


@task(name="collect", cache_policy=NO_CACHE)
def collect(recipe: Recipe, workspace: Workspace) -> None:
    """Ask the sources what they hold; where that changed, have DVC run the stage. The raw bytes are verified."""
    spec = library.specify(recipe, workspace)
    write_json(workspace.data / recipe.name / "collect.json", spec.model_dump(mode="json"))
    data = Data(workspace)
    data.verify(recipe.name, data.reproduce(recipe.name, "collect"), "collect")
