"""Collecting: what is written, that equal inputs give equal bytes, and that a failure leaves what was there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from genwright.core import stored
from genwright.core.durable import sha256
from genwright.core.errors import DataError
from genwright.core.workspace import Workspace
from genwright.data import shards
from genwright.data.collect import CollectSpec, collect
from genwright.data.item import Item
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.stages import collecting


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    for name in ("cat/1.txt", "cat/2.txt", "dog/1.txt", "dog/same.txt"):
        path = tmp_path / "texts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text of " + ("dog/1.txt" if "same" in name else name))
        os.utime(path, (1_700_000_000, 1_700_000_000))
    (tmp_path / "texts" / "out.txt").symlink_to("/etc/hostname")
    return Workspace(tmp_path)


@pytest.fixture
def recipe() -> Recipe:
    folder = {"kind": "folder", "path": "texts", "labels": "subfolder", "licence": "CC0"}
    return parse({"name": "tiny", "content": "text", "condition": "label", "sources": [folder, {**folder, "labels": None}]})


def read_items(folder: Path) -> list[Item]:
    return [shards.item(row) for row in shards.read(folder, "items")]


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path) for path in sorted(folder.iterdir())}


def test_items_are_written_with_provenance_and_counts(workspace: Workspace, recipe: Recipe) -> None:
    out = workspace.raw("tiny")
    collect(collecting(recipe, workspace), workspace, out)
    items = read_items(out)
    assert [item.name for item in items] == ["cat/1.txt", "cat/2.txt", "dog/1.txt", "dog/same.txt"] * 2
    assert [item.columns["condition"] for item in items[:4]] == [b"cat", b"cat", b"dog", b"dog"]
    assert list(items[4].columns) == ["content"]
    assert items[2].digest == items[3].digest  # equal bytes stay two items
    assert (items[0].source, items[0].licence, items[0].collected_at) == ("folder:texts", "CC0", "2023-11-14T22:13:20+00:00")
    assert pq.read_table(out / "items-0000.parquet")["digest"].to_pylist() == [item.digest for item in items]
    report = json.loads((out / "collected.json").read_text())
    assert (report["items"], report["bytes"]) == (8, sum(len(item.data) for item in items))
    assert [source["items"] for source in report["sources"]] == [4, 4]
    assert "out of the folder" in report["sources"][0]["skipped"]["out.txt"]


def test_equal_inputs_give_equal_bytes(workspace: Workspace, recipe: Recipe, tmp_path: Path) -> None:
    spec = collecting(recipe, workspace)
    collect(spec, workspace, tmp_path / "one")
    collect(collecting(recipe, workspace), workspace, tmp_path / "two")
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert spec == collecting(recipe, workspace)
    (workspace.root / "texts/cat/1.txt").write_text("changed")
    assert spec != collecting(recipe, workspace)


def test_many_items_go_to_few_shards_and_come_back_in_order(
    workspace: Workspace, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "GROUP_ROWS", 3)
    monkeypatch.setattr(shards, "SHARD_BYTES", 80)
    collect(collecting(recipe, workspace), workspace, tmp_path / "raw")
    assert len(list((tmp_path / "raw").glob("items-*.parquet"))) == 2
    assert [item.name for item in read_items(tmp_path / "raw")][:3] == ["cat/1.txt", "cat/2.txt", "dog/1.txt"]
    assert len(read_items(tmp_path / "raw")) == 8


def test_a_failure_leaves_what_was_there_and_nothing_beside(workspace: Workspace, recipe: Recipe) -> None:
    out = workspace.raw("tiny")
    collect(collecting(recipe, workspace), workspace, out)
    before = hashes(out)
    spec = collecting(recipe, workspace)
    (workspace.root / "texts/cat/1.txt").write_text("changed while it was collected")
    with pytest.raises(DataError, match="changed while it was collected"):
        collect(spec, workspace, out)
    assert hashes(out) == before
    assert list(out.parent.iterdir()) == [out]


def run_stage(workspace: Workspace) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "genwright.data.collect", "tiny"]
    return subprocess.run(command, cwd=workspace.root, capture_output=True, text=True, timeout=120, check=False)


def test_the_stage_reads_its_spec_and_fails_in_words(workspace: Workspace, recipe: Recipe) -> None:
    spec: CollectSpec = collecting(recipe, workspace)
    stored.write(workspace.data / "tiny" / "collect.json", spec)
    assert run_stage(workspace).returncode == 0
    assert len(read_items(workspace.raw("tiny"))) == 8
    (workspace.root / "texts").rename(workspace.root / "elsewhere")
    failed = run_stage(workspace)
    assert failed.returncode == 1
    assert "There is no folder at" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_memory_stays_flat_as_data_grows(tmp_path: Path) -> None:
    """240 MB of files through a process that may not hold half of it."""
    (tmp_path / "texts").mkdir()
    for number in range(120):
        (tmp_path / "texts" / f"{number}.txt").write_bytes(os.urandom(2_000_000))
    script = """
import resource, sys
from pathlib import Path
from genwright.data.collect import CollectSpec, collect
from genwright.core.record import Part
from genwright.core.workspace import Workspace
import genwright.data.collect as c
workspace = Workspace(Path(sys.argv[1]))
parts = [Part(kind="folder", options={"path": "texts"})]
columns = {"content": Part(kind="text")}
state = c._open(parts[0], columns, workspace).state()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
collect(CollectSpec(recipe="x", columns=columns, sources=parts, states=[state]), workspace, workspace.raw("x"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(done.stdout) * 1024 < 150 * 2**20
