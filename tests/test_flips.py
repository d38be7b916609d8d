"""A bit that turned in what is stored: the same champion, measures and samples come out, or it is said what is wrong. `make
flips` tries every file there is."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from trials.flips import Seen, flip, look, prepare, verdict

pytestmark = [pytest.mark.long, pytest.mark.timeout(600), pytest.mark.usefixtures("team_server")]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Seen]:
    """A workspace whose recipe has run, a copy of it, and what it gives."""
    root = tmp_path_factory.mktemp("ran") / "workspace"
    root.mkdir()
    prepare(root)
    look(root)
    wanted = look(root)
    assert wanted.code == 0, wanted.said
    copy = root.with_name("copy")
    shutil.copytree(root, copy, symlinks=True)
    return root, copy, wanted


@pytest.fixture
def workspace(ran: tuple[Path, Path, Seen]) -> Iterator[tuple[Path, Seen]]:
    """The workspace, brought back afterwards."""
    root, copy, wanted = ran
    yield root, wanted
    shutil.rmtree(root)
    shutil.copytree(copy, root, symlinks=True)


@pytest.mark.parametrize(
    "pattern",
    [
        "data/shapes/clean/test.content.npy",
        ".genwright/runs/*/round-1/bundle/weights.safetensors",
        ".genwright/models/shapes/1/weights.safetensors",
        ".genwright/measures/*/test-mmd.safetensors",
        ".genwright/ledger/shapes.jsonl",
    ],
)
def test_a_bit_that_turned_changes_nothing_unsaid(pattern: str, workspace: tuple[Path, Seen]) -> None:
    root, wanted = workspace
    [file] = root.glob(pattern)
    flip(file, random.Random(pattern))
    fine, told = verdict(wanted, look(root))
    assert fine, told
