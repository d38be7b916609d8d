"""Stage: the version of a registered model that a recipe uses instead of training one."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.mlflow.lineage import tainted
from genwright.adapters.mlflow.registry import Registry
from genwright.core.errors import ModelError
from genwright.core.workspace import Workspace
from genwright.models import composition
from genwright.models.records import ModelVersion, Used
from genwright.recipes.members import Use
from genwright.tasks.display import say


@task(name="use", cache_policy=NO_CACHE)
def use(wanted: Use, workspace: Workspace) -> Used:
    """That version, pinned. Raises ModelError where there is none, where it consists of several models itself, and where it
    learned from what is to be forgotten."""
    used = pin(wanted, workspace)
    say("use", f"{used.model} version {used.version}, weights {used.weights[:12]}")
    return used


def pin(wanted: Use, workspace: Workspace) -> Used:
    """What `use` pins now, without a word to anyone."""
    registry = Registry(workspace)
    version = _champion(registry, wanted.model) if wanted.version == "champion" else registry.versions.get(*_place(wanted))
    if composition.is_composition(registry.versions.download(version)):
        parts = ", ".join(f"{version.name}~{key}" for key in composition.pinned(registry.versions.download(version)))
        raise ModelError("A model that consists of several cannot be used as one.", got=version.name, allowed=parts)
    if known := tainted(registry, version):
        raise ModelError(
            f"{version.name} version {version.version} learned from what is to be forgotten.",
            got=", ".join(entry.name for entry in known),
            do=f"`genwright run {version.name.partition('~')[0]}` trains it anew",
        )
    return Used(model=version.name, version=version.version, weights=version.weights)


def _place(wanted: Use) -> tuple[str, int]:
    assert wanted.version != "champion"
    return wanted.model, wanted.version


def _champion(registry: Registry, name: str) -> ModelVersion:
    """The champion of that name; of a part of several models, the version that the champion they make together pins."""
    recipe, _, key = name.partition("~")
    champion = registry.current(recipe)
    if not key:
        return champion
    parts = composition.pinned(registry.versions.download(champion))
    if key not in parts:
        raise ModelError(f"The champion of {recipe} has no part called {key}.", got=name, allowed=", ".join(parts))
    return registry.versions.get(parts[key].model, parts[key].version)
