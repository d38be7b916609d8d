"""One thread, so that tests neither disturb each other nor depend on the number of cores."""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from genwright.adapters.prefect.server import server
from genwright.core import garbage
from genwright.core.workspace import Settings, Workspace
from tests.workspaces import SCRATCH, founded, scratch

os.environ.setdefault("OMP_NUM_THREADS", "1")
garbage.patient()
torch.set_num_threads(1)
# A shell has its background jobs ignore Ctrl-C, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of a workspace that is thrown away."""
    return Settings(workspace=tmp_path, threads=1, device="cpu")


@pytest.fixture(scope="session")
def served() -> Iterator[str]:
    """The API of one Prefect server."""
    with ExitStack() as stack:
        with patch.dict(os.environ):  # only who asks for it is told
            serving = stack.enter_context(server(Workspace(founded(scratch()))))
            serving.wait()
        yield serving.url


@pytest.fixture(scope="module")
def team_server(served: str) -> Iterator[None]:
    """That server for all that the tests of a file run, as a team has one; else every run starts its own."""
    with patch.dict(os.environ, PREFECT_API_URL=served):
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take minutes come first, the longest before all, then files with many: what is short fills the gaps at the
    end."""
    many = Counter(item.path for item in items)
    items.sort(key=lambda item: (_minutes(item), many[item.path]), reverse=True)


def pytest_collection_finish() -> None:
    """What was imported and collected stays to the end: it need not be looked through again and again."""
    gc.collect()
    gc.freeze()


def _minutes(item: pytest.Item) -> int:
    """About how long the tests of its file take together; 0 for what is not marked as long."""
    marker = item.get_closest_marker("long")
    return 0 if marker is None else marker.kwargs.get("minutes", 1)


def pytest_sessionfinish() -> None:
    for folder in SCRATCH:
        shutil.rmtree(folder, ignore_errors=True)
