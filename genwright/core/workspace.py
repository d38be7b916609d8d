"""Where everything lies, and the settings of this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from genwright.core import processors
from genwright.core.errors import GenwrightError

ODD = "?#%"
"""Letters that addresses of databases and files give a meaning of their own."""


class Settings(BaseSettings):
    """Settings from the environment (`GENWRIGHT_*`); none of them is part of a fingerprint."""

    model_config = SettingsConfigDict(env_prefix="GENWRIGHT_", extra="ignore")

    workspace: Path = Field(default_factory=Path.cwd, description="folder that holds recipes/, data/ and .genwright/")
    threads: int = Field(
        default_factory=processors.threads, gt=0, description="threads that compute; their number bears on bits"
    )
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    webhook: SecretStr | None = Field(None, description="address that is sent a JSON document when something happened")
    smtp: SecretStr | None = Field(None, description="smtp://USER:PASSWORD@HOST:587, or smtps://")
    email_to: str | None = None
    email_from: str | None = Field(None, description="default: the same as `email_to`")

    def __init__(self, **values: Any) -> None:
        """Raises GenwrightError naming the variables that say what is not allowed."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            faults = error.errors(include_url=False, include_context=False)
            told = [(f"GENWRIGHT_{fault['loc'][0]}".upper(), fault) for fault in faults]
            raise GenwrightError(
                f"{', '.join(name for name, _ in told)} cannot be used.",
                got="; ".join(f"{name}={fault['input']}" for name, fault in told),
                allowed="; ".join(fault["msg"].removeprefix("Input should be ") for _, fault in told),
                do="correct it, or unset it",
            ) from None


class Workspace:
    """The folders of one workspace; all that is written lies under `data/` and `.genwright/`."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = (root or Settings().workspace).resolve()
        if odd := sorted(set(ODD) & set(str(self.root))):
            raise GenwrightError(
                f"The workspace cannot lie in a folder with {' '.join(odd)} in its path: databases would land elsewhere.",
                got=self.root,
                do="move it, rename the folder, or set GENWRIGHT_WORKSPACE to another",
            )

    @property
    def state(self) -> Path:
        """Runs, checkpoints, locks and the embedded databases."""
        return self.root / ".genwright"

    def settle(self) -> None:
        """Make the folder of the state, which git is told to pass over: it is somebody else's repository."""
        self.state.mkdir(parents=True, exist_ok=True)
        passed = self.state / ".gitignore"
        if not passed.exists():
            passed.write_text("*\n")

    @property
    def recipes(self) -> Path:
        return self.root / "recipes"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def mlflow_uri(self) -> str:
        """`MLFLOW_TRACKING_URI` where set, else a SQLite file of the workspace."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.state / 'mlflow.db'}"

    def raw(self, recipe: str) -> Path:
        return self.data / recipe / "raw"

    def clean(self, recipe: str) -> Path:
        return self.data / recipe / "clean"

    def derived(self, recipe: str) -> Path:
        """Derived columns that are computed once for a data version."""
        return self.data / recipe / "derived"

    def run(self, identity: str) -> Path:
        """Folder of one run: plan, race, rounds, checkpoints, report. `identity` is a fingerprint."""
        return self.state / "runs" / identity[:16]

    def lock(self, name: str) -> Path:
        return self.state / "locks" / f"{name}.lock"
