"""Clean: a split, encoded data set and the version that names its bytes, as a data stage."""

from __future__ import annotations

from prefect import task

from genwright import clean as library
from genwright.adapters.dvc import Data
from genwright.durable import write_json
from genwright.recipe import Recipe
from genwright.records import DatasetContents, DatasetVersion
from genwright.workspace import Workspace


@task(name="clean", persist_result=False)
def clean(recipe: Recipe, workspace: Workspace) -> DatasetVersion:
    """Have DVC run the stage where the raw items or the rules changed. The bytes are verified before they are handed on,
    and pushed where a remote is set."""
    write_json(workspace.data / recipe.name / "clean.json", library.specify(recipe).model_dump(mode="json"))
    data = Data(workspace)
    digest = data.reproduce(recipe.name, "clean")
    data.verify(recipe.name, digest)
    data.push(recipe.name)
    folder = workspace.clean(recipe.name)
    return DatasetVersion(
        recipe=recipe.name,
        digest=digest,
        path=folder.relative_to(workspace.root).as_posix(),
        contents=DatasetContents.model_validate_json((folder / "dataset.json").read_text()),
    )
