"""Derive: columns that are computed once for a data version, each as a data stage."""

from __future__ import annotations

from collections.abc import Mapping

from prefect import task
from prefect.cache_policies import NO_CACHE

from genwright.adapters.dvc.stages import Stages
from genwright.adapters.mlflow.versions import Versions
from genwright.core import stored
from genwright.core.workspace import Workspace
from genwright.data.derivations.base import derivations
from genwright.data.view import Derived
from genwright.models.derive import DeriveSpec
from genwright.models.records import Used
from genwright.recipes.members import Member, by_of
from genwright.recipes.recipe import Recipe
from genwright.tasks.display import say


@task(name="derive", cache_policy=NO_CACHE)
def derive(recipe: Recipe, member: Member, workspace: Workspace, uses: Mapping[str, Used]) -> None:
    """Every fixed column that a model sees, after those it is made of; one that is made by a model, by the version in
    `uses`. What has not changed is not computed again."""
    kept: dict[str, str] = {}
    for name, derived in ordered(member):
        if derivations.get(derived.part.kind).drawn or not all(of in recipe.recorded or of in kept for of in derived.of):
            continue
        used = uses.get(by_of(derived) or "")
        spec = DeriveSpec(
            recipe=recipe.name,
            column=name,
            derived=derived,
            before={of: member.view.derived[of] for of in sorted(member.view.origins(name) & set(member.view.derived))},
            states={of: kept[of] for of in derived.of if of in kept},
            by=used,
            bundle=None if used is None else _bundle(workspace, used),
        )
        stored.write(workspace.derived(recipe.name) / f"{name}.json", spec)
        kept[name] = Stages(workspace).derive(recipe.name, name)
        by = f" by {used.model} version {used.version}" if used else ""
        say("derive", f"{name} from {', '.join(derived.of)}{by}: {kept[name][:12]}")


def ordered(member: Member) -> list[tuple[str, Derived]]:
    """The derived columns of a model, each after those it is made of."""
    waiting = member.view.derived
    return sorted(waiting.items(), key=lambda one: (len(member.view.origins(one[0])), one[0]))


def _bundle(workspace: Workspace, used: Used) -> str:
    """Where the version lies, relative to the workspace."""
    versions = Versions(workspace)
    folder = versions.download(versions.get(used.model, used.version))
    return folder.relative_to(workspace.root).as_posix()
