"""What measuring needs of a data set whatever the model: computed once and shared by all measures, rounds and runs."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from genwright import __version__
from genwright.core import sealed
from genwright.core.record import fingerprint
from genwright.core.workspace import Settings, Workspace
from genwright.data.dataset import Dataset, Kept

T = TypeVar("T")

SIDES = ("train", "validation", "test")

FOLDER = "measures"
"""Folder of a workspace's state; what lies in it can be deleted at any time, and is then computed again."""


@lru_cache(maxsize=1)
def _held(folder: Path, identity: str) -> dict[str, Any]:
    """What is known of the data that were asked for last: a model is measured, and then the champion beside it."""
    return {}


def clear(workspace: Workspace) -> None:
    """Remove whatever is kept of any data: features are computed from items, and those may have to be forgotten. Raises
    OSError where something of it would stay."""
    _held.cache_clear()
    folder = workspace.state / FOLDER
    if folder.is_dir():
        shutil.rmtree(folder)


class Memo:
    """Of one data set as one model sees it. With a `folder`, tensors are kept there, apart for each data version, view and
    release; the rest is held in memory, and for the data set that was measured last by whoever measures it again."""

    def __init__(self, dataset: Dataset, folder: Path | None = None) -> None:
        self._dataset, self._folder = dataset, folder
        self._known: dict[str, Any] = {}

    @classmethod
    def of(cls, dataset: Dataset, settings: Settings) -> Memo:
        """One that keeps tensors in the workspace."""
        folder = Workspace(settings.workspace).state / FOLDER
        memo = cls(dataset, folder)
        memo._known = _held(folder, memo.identity)
        return memo

    def once(self, key: str, make: Callable[[], T]) -> T:
        """What `make` gives, made the first time it is asked for."""
        if key not in self._known:
            self._known[key] = make()
        found: T = self._known[key]
        return found

    def tensors(self, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        """The same for named tensors, which are read from the folder where they are there and whole."""
        return self.once(key, lambda: self._kept(key, make))

    def _kept(self, key: str, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        file = None if self._folder is None else self._folder / self.identity[:16] / f"{key.replace(' ', '-')}.safetensors"
        if file is not None and (found := sealed.read(file)) is not None:
            return found
        # Whoever asks first may be a training in low precision; what is kept is not.
        with torch.no_grad(), torch.autocast("cpu", enabled=False):
            made = {name: tensor.contiguous() for name, tensor in make().items()}
        if file is not None:
            sealed.write(file, made)
        return made

    @cached_property
    def identity(self) -> str:
        """Fingerprint of all that bears on what is kept: the items, how they are encoded, and what derived columns learned."""
        data = self._dataset
        items = [hashlib.sha256(np.ascontiguousarray(data.side(name).digests).tobytes()).hexdigest() for name in SIDES]
        learned = {name: one.model_dump(mode="json") for name, one in data.derived.items() if isinstance(one, Kept)}
        columns = {name: column.model_dump(mode="json") for name, column in data.contents.columns.items()}
        return fingerprint(__version__, items, columns, data.view, data.signature, learned)
