"""A bundle as MLflow keeps it: beside the code that answers for it, its environment and its signature."""

from __future__ import annotations

import shutil
from importlib.metadata import version as installed
from pathlib import Path

import mlflow.pyfunc
from mlflow.entities import LoggedModel
from mlflow.models import Model as LoggedFiles
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from genwright import __version__
from genwright.adapters.mlflow import pyfunc

BUNDLE = "bundle"  # the folder of the model within the logged artifacts
REQUIREMENTS = ("mlflow", "torch", "safetensors", "numpy", "pandas")
SIGNATURE = ModelSignature(
    inputs=Schema([ColSpec(DataType.string, "condition", required=False), ColSpec(DataType.string, "prompt", required=False)]),
    outputs=Schema([ColSpec(DataType.long, "row"), *(ColSpec(DataType.string, name) for name in ("media_type", "content"))]),
    params=ParamSchema(
        [
            ParamSpec("n", DataType.long, 1),
            ParamSpec("seed", DataType.long, 0),
            ParamSpec("options", DataType.string, "{}"),
        ]
    ),
)
"""A row asks for `n` samples from `seed`; `options` is a JSON object of the family's sampling options."""

EXAMPLE = ({"condition": [""], "prompt": [""]}, {"n": 2, "seed": 7})


def packed(model: LoggedModel, folder: Path, tags: dict[str, str], place: Path) -> Path:
    """The folder, within the empty folder `place`, of all files of a logged model that answers with the bundle in `folder`."""
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
        signature=SIGNATURE,
        input_example=EXAMPLE,
        pip_requirements=[f"genwright=={__version__}", *(f"{package}=={installed(package)}" for package in REQUIREMENTS)],
        metadata=tags,
    )
    shutil.rmtree(place / "model" / "__pycache__", ignore_errors=True)
    return place / "model"
