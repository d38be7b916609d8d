"""Prepares generative models and keeps them current."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genwright.sampling.model import Model

__version__ = "0.1.0"


def load(name: str, version: int | None = None, workspace: Path | str | None = None) -> Model:
    """The champion registered under a name, or one of its versions, ready to `generate`.

    `workspace` is the folder that holds `.genwright/`; by default the present one, or GENWRIGHT_WORKSPACE. Raises
    ModelError where there is no such model or its files do not verify, ServiceError where MLflow does not answer.
    """
    from genwright.adapters.mlflow.registry import Registry
    from genwright.core.workspace import Settings, Workspace
    from genwright.models.device import prepare
    from genwright.sampling.model import Model

    registry = Registry(Workspace(None if workspace is None else Path(workspace)))
    wanted = registry.current(name) if version is None else registry.versions.get(name, version)
    folder, uses = registry.versions.opened(wanted)
    return Model(folder, wanted, str(prepare(Settings())), uses)
