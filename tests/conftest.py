"""One thread, so that tests neither disturb each other nor depend on the number of cores."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from genwright.core.workspace import Settings
from tests.workspaces import SCRATCH

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
# A shell has its background jobs ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a workspace that is thrown away."""
    return Settings(workspace=tmp_path, threads=1, device="cpu")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take minutes come first: what is short fills the gaps at the end."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_sessionfinish() -> None:
    for folder in SCRATCH:
        shutil.rmtree(folder, ignore_errors=True)
