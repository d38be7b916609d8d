"""A bundle as MLflow keeps it: beside the code that answers for it, its environment and its signature."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path

import mlflow.pyfunc
from mlflow.entities import LoggedModel
from mlflow.models import Model as LoggedFiles
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from genwright import __version__
from genwright.adapters.mlflow import pyfunc
from genwright.models import composition
from genwright.sampling.model import Model
from genwright.sampling.opened import opened
from genwright.sampling.task import Description

BUNDLE = "bundle"  # the folder of the model within the logged artifacts
REQUIREMENTS = ("mlflow", "torch", "safetensors", "numpy", "pandas")
ANSWER = Schema([ColSpec(DataType.long, "row"), *(ColSpec(DataType.string, name) for name in ("media_type", "content"))])
PARAMS = ParamSchema(
    [ParamSpec("n", DataType.long, 1), ParamSpec("seed", DataType.long, 0), ParamSpec("options", DataType.string, "{}")]
)
"""`n` samples from `seed` for each row; `options` is a JSON object of sampling options."""


def signature(told: Description) -> ModelSignature:
    """What a row may give: every input of the model, as text, or as a file's bytes in base64."""
    columns: list[ColSpec | TensorSpec] = [ColSpec(DataType.string, one.name, required=False) for one in told.inputs]
    # MLflow takes no empty schema, so a model that is given nothing has a column that is left empty.
    return ModelSignature(Schema(columns or [ColSpec(DataType.string, "nothing", required=False)]), ANSWER, PARAMS)


def packed(model: LoggedModel, folder: Path, uses: Mapping[str, Path], tags: dict[str, str], place: Path) -> Path:
    """The folder, within the empty folder `place`, of all files of a logged model that answers with what lies in `folder`.
    Versions that it pins (`uses`) are named, not copied."""
    view = composition.described(folder).view
    graph = None if view.makes is None else opened(folder, uses, "cpu")
    if graph is None or graph.reader(graph.makes) is None:
        return _silent(model, folder, tags, place / "model")
    asked = signature(Model(folder, uses=uses).describe)
    shutil.copytree(folder, place / BUNDLE)
    mlflow.pyfunc.save_model(
        path=place / "model",
        python_model=pyfunc.__file__,
        artifacts={BUNDLE: str(place / BUNDLE)},
        mlflow_model=LoggedFiles(
            artifact_path=model.artifact_location,
            model_uuid=model.model_id,
            run_id=model.source_run_id,
            model_id=model.model_id,
        ),
        signature=asked,
        input_example=({name: [""] for name in asked.inputs.input_names()}, {"n": 2, "seed": 7}),
        pip_requirements=[f"genwright=={__version__}", *(f"{package}=={installed(package)}" for package in REQUIREMENTS)],
        metadata=tags,
    )
    shutil.rmtree(place / "model" / "__pycache__", ignore_errors=True)
    return place / "model"


def _silent(model: LoggedModel, folder: Path, tags: dict[str, str], place: Path) -> Path:
    """The same of a model that makes no file by itself (an encoder, a maker of codes): the bundle, which answers to nobody."""
    shutil.copytree(folder, place / "artifacts" / BUNDLE)
    LoggedFiles(
        artifact_path=model.artifact_location,
        model_uuid=model.model_id,
        run_id=model.source_run_id,
        model_id=model.model_id,
        metadata=tags,
    ).save(str(place / "MLmodel"))
    return place
