"""Workspaces with tiny models in their registry, cheap enough for every test to have its own."""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path

from genwright.adapters.mlflow.lineage import untainted
from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.adapters.mlflow.versions import Versions
from genwright.core.workspace import Settings, Workspace
from genwright.evaluation.records import Evaluation, Measured
from genwright.lifecycle import promotion
from genwright.lifecycle.ledger import LedgerEntry
from genwright.models.records import ModelVersion, VersionFacts
from genwright.recipes.recipe import Recipe, parse
from genwright.training.fit import Fit
from genwright.training.records import Diagnosis, TrainedModel
from tests import made
from tests.workspaces import migrated, scratch

DATA = "3f2a9c00000000000000000000000000.dir"


@cache
def _shared() -> Path:
    return scratch()


@cache
def trained(seed: int) -> TrainedModel:
    """A tiny VAE of labelled pictures; its path is absolute."""
    data = made.pictures(_shared() / f"data-{seed}")
    settings = Settings(workspace=_shared(), threads=1, device="cpu")
    fit = Fit(data, made.plan(data, "vae", steps=4, seed=seed), _shared() / f"fit-{seed}", settings, data=DATA)
    for _ in fit:
        pass
    return fit.result


def bundle(seed: int) -> Path:
    return _shared() / trained(seed).path


def workspace(folder: Path) -> Workspace:
    """A workspace under `folder` with an empty, migrated registry."""
    there = Workspace(folder)
    there.state.mkdir(parents=True)
    shutil.copy(migrated(), there.state / "mlflow.db")
    return there


def recipe(**fields: object) -> Recipe:
    given = {
        "name": "digits",
        "content": {"kind": "image", "size": [8, 8], "channels": 1},
        "condition": "label",
        "sources": [{"kind": "sklearn", "dataset": "digits"}],
        "samples": 32,
    }
    return parse({**given, **fields})


def evaluation(seed: int, mmd: float = 1.0) -> Evaluation:
    measures = {"mmd": Measured(value=mmd, low=mmd - 0.1, high=mmd + 0.1, n=32)}
    return Evaluation(model=trained(seed).weights, evaluation_set="e", code="c", compared_by="mmd", measures=measures)


def facts(seed: int = 0) -> VersionFacts:
    """What the model of that seed is registered with."""
    model = trained(seed)
    return VersionFacts(weights=model.weights, data=model.data, recipe=recipe().identity, title=model.plan.candidate.title)


def register(workspace: Workspace, seed: int = 0) -> ModelVersion:
    """Run, round and version of the model of that seed, as a pipeline run makes them."""
    runs, model, scores = Runs(workspace), trained(seed), evaluation(seed)
    parent = runs.parent_run("digits", f"{seed:064d}")
    run = runs.round_run("digits", parent, model.plan)
    runs.end_round(run, model, scores, Diagnosis(finding="good", evidence="every gate passes"))
    return Versions(workspace).register("digits", bundle(seed), run=run, facts=facts(seed), evaluation=scores)


def promote(workspace: Workspace, seed: int = 0) -> ModelVersion:
    """Register that model and make it champion."""
    version = register(workspace, seed)
    registry = Registry(workspace)
    champion = registry.champion("digits")
    make_champion(registry, version, expected=champion.version if champion else None, why="it is better")
    return version


def make_champion(registry: Registry, version: ModelVersion, *, expected: int | None, why: str) -> LedgerEntry:
    """Promote a version as commands and tasks do."""
    return promotion.promote(registry, version, [untainted(registry)], expected=expected, why=why)


def roll_back(registry: Registry, why: str) -> LedgerEntry:
    """Go back to the champion before, as the command does."""
    return promotion.rollback(registry, "digits", [untainted(registry)], why=why)
