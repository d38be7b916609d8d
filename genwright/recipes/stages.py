"""What the data stages are told of a recipe: their specs, and the items of its sources as they are now."""

from __future__ import annotations

from collections.abc import Iterator

from genwright.core.workspace import Workspace
from genwright.data import clean, collect, forgotten
from genwright.data.clean import CleanSpec
from genwright.data.collect import CollectSpec
from genwright.data.item import Item
from genwright.recipes.recipe import Recipe


def collecting(recipe: Recipe, workspace: Workspace) -> CollectSpec:
    """What is collected for a recipe, with its sources as they are now. Raises DataError when one cannot be read."""
    return CollectSpec(
        recipe=recipe.name,
        content=recipe.content_name,
        columns=recipe.recorded,
        sources=recipe.sources,
        states=collect.states(recipe.sources, recipe.recorded, workspace),
        forgotten=forgotten.digests(workspace),
    )


def cleaning(recipe: Recipe) -> CleanSpec:
    """How the items of a recipe are cleaned. Raises RecipeError when a rule does not suit the content."""
    spec = CleanSpec(
        recipe=recipe.name,
        content=recipe.content_name,
        columns=recipe.recorded,
        optional=recipe.may_lack,
        cleaning=recipe.cleaning,
        split=recipe.split,
    )
    clean.check(spec)
    return spec


def items(recipe: Recipe, workspace: Workspace) -> Iterator[Item]:
    """The items of a recipe's sources as they are now, streamed; nothing is written. Raises DataError."""
    return collect.items(recipe.sources, recipe.recorded, workspace)
