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


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what their module makes run in one process, and those that take longest begin."""
    for item in items:
        assert isinstance(item, pytest.Function)
        shared = (made[-1].scope for made in item._fixtureinfo.name2fixturedefs.values())
        if "module" in shared:
            item.add_marker(pytest.mark.xdist_group(item.module.__name__))
    items.sort(key=lambda item: -max((mark.kwargs.get("minutes", 0.0) for mark in item.iter_markers("long")), default=0.0))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a workspace that is thrown away."""
    return Settings(workspace=tmp_path, threads=1, device="cpu")


def pytest_sessionfinish() -> None:
    for folder in SCRATCH:
        shutil.rmtree(folder, ignore_errors=True)
