"""What is to be said of a workspace's MLflow: its database, the versions in it, and the ledgers beside it."""

from __future__ import annotations

from collections.abc import Iterator

from genwright.adapters.mlflow import database
from genwright.adapters.mlflow.connection import Connection
from genwright.adapters.mlflow.registry import CHAMPION, Registry
from genwright.adapters.mlflow.runs import restore
from genwright.core.errors import GenwrightError
from genwright.core.workspace import Workspace
from genwright.lifecycle.doctor import Check

WHAT = "models"


def check(workspace: Workspace) -> Iterator[Check]:
    """Whether the database can be used, all of it read; what stands in it that Genwright did not put there."""
    connection = Connection(workspace)
    try:
        if connection.empty:
            yield Check(what=WHAT, state="ok", found="nothing is registered yet")
            return
        if connection.embedded:
            fault = database.examine(connection.database, whole=True)
            if fault is not None:
                raise database.unusable(connection.database, fault)
            yield from _notes(connection)
        yield from _models(workspace)
    except GenwrightError as error:
        yield Check.problem(WHAT, error)


def _notes(connection: Connection) -> Iterator[Check]:
    there = database.revision(connection.database)
    if there != database.newest():
        found = f"MLflow's database is of schema {there}, the MLflow that is installed has {database.newest()}"
        do = "nothing: the next command brings it up to date, after it has made a copy"
        yield Check(what=WHAT, state="note", found=found, do=do)
    if strays := database.strays(connection.database, connection.artifacts):
        found = f"the workspace was moved or copied: {len(strays)} addresses name {strays[0]}"
        yield Check(what=WHAT, state="note", found=found, do="nothing: the next command lets them name this workspace")


def _models(workspace: Workspace) -> Iterator[Check]:
    registry = Registry(workspace)
    for experiment in registry.mlflow.deleted():
        found = f"the MLflow experiment {experiment.name} is deleted, so that its recipe cannot run"
        yield Check(what=WHAT, state="problem", found=found, do=restore(registry.mlflow, experiment.experiment_id))
    names = registry.versions.names()
    for name in names:
        yield from _champion(registry, name)
        for wrong in registry.verify(name):
            found = f"the ledger of {name} was altered: {wrong}"
            do = "put it back from a copy; until then it is not followed, and `genwright promote` names champions"
            yield Check(what=WHAT, state="problem", found=found, do=do)
        if foreign := registry.versions.foreign(name):
            named = registry.alias(name, CHAMPION)
            champion = f"; the alias champion names {named}" if named in foreign else ""
            found = f"{name} version(s) {', '.join(map(str, foreign))} were not registered by Genwright{champion}"
            do = f"`genwright promote {name} VERSION` puts the alias right" if champion else ""
            yield Check(what=WHAT, state="note", found=found, do=do)
    yield Check(what=WHAT, state="ok", found=f"{len(names)} registered: {', '.join(names) or 'none'}")


def _champion(registry: Registry, name: str) -> Iterator[Check]:
    """Whether the files of the champion and of what it pins are those that were registered, every byte read."""
    champion = registry.champion(name)
    if champion is None:
        return
    try:
        registry.versions.opened(champion, fresh=True)
    except GenwrightError as error:
        yield Check.problem(WHAT, error)
