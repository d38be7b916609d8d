"""One thread, so that tests neither disturb each other nor depend on the number of cores."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import torch

from genwright.core.workspace import Settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)
# A shell has its background jobs ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


UP = {"test_upkeep.py", "test_wheel.py"}
"""Files whose tests have `genwright up` run: two that begin at the same moment would want the same ports."""


@pytest.hookimpl(tryfirst=True)  # before the one of pytest-xdist that reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Beside each other run tests of different files only, and none of those in UP."""
    for item in items:
        group = "up" if item.path.name in UP else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a workspace that is thrown away."""
    return Settings(workspace=tmp_path, threads=1, device="cpu")
