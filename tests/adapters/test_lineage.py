"""Where a file went, and how it is forgotten: through the real DVC and MLflow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from genwright.adapters.dvc.data import Data
from genwright.adapters.mlflow.lineage import tainted, trace
from genwright.adapters.mlflow.registry import Registry
from genwright.adapters.mlflow.runs import Runs
from genwright.adapters.mlflow.versions import Versions
from genwright.core.errors import DataError, ModelError
from genwright.core.workspace import Workspace
from genwright.data.forgotten import digest_of, forget, forgotten
from genwright.data.modalities.base import modalities
from genwright.data.records import DatasetVersion
from genwright.models.records import ModelVersion
from genwright.recipes.recipe import Recipe, parse
from genwright.recipes.stages import items
from genwright.tasks.clean import clean
from genwright.tasks.collect import collect
from tests import brought, registered


def recipe(**fields: object) -> Recipe:
    given = {
        "name": "digits",
        "content": {"kind": "text", "vocab": 300, "length": 32},
        "sources": [{"kind": "folder", "path": "texts"}],
        "cleaning": ["exact_duplicates"],
        "split": {"validation": 0.2, "test": 0.2},
    }
    return parse({**given, **fields})


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    there = registered.workspace(tmp_path / "workspace")
    texts = there.root / "texts"
    texts.mkdir()
    for place, data in enumerate(modalities.get("text").fixture(60)):
        (texts / f"{place:02d}.txt").write_bytes(data)
    return there


def produce(workspace: Workspace, given: Recipe | None = None) -> DatasetVersion:
    collect.fn(given or recipe(), workspace)
    return clean.fn(given or recipe(), workspace)


def on(workspace: Workspace, side: str, *, besides: str = "") -> Path:
    """A file that is on that side of the split."""
    split = recipe().split
    files = sorted((workspace.root / "texts").glob("*.txt"))
    return next(f for f in files if split.side(hashlib.sha256(f.read_bytes()).hexdigest()) == side and f.name != besides)


def version(workspace: Workspace, seed: int, data: str, start: str = "") -> ModelVersion:
    """A registered version of the model of that seed, made from that data."""
    facts = registered.facts(seed).model_copy(update={"data": data, "recipe": recipe().identity, "start": start})
    runs = Runs(workspace)
    parent = runs.parent_run("digits", f"{seed:064d}")
    run = runs.round_run("digits", parent, registered.trained(seed).plan)
    scores, bundle = registered.evaluation(seed), registered.bundle(seed)
    return Versions(workspace).register("digits", bundle, run=run, facts=facts, evaluation=scores)


def test_a_file_is_followed_through_data_and_models(workspace: Workspace) -> None:
    digest = hashlib.sha256(on(workspace, "train").read_bytes()).hexdigest()
    first = produce(workspace)
    one = version(workspace, 0, first.digest)
    on(workspace, "train").unlink()
    second = produce(workspace)
    version(workspace, 1, second.digest, start=one.weights)  # it never saw the file, its first weights had
    version(workspace, 2, second.digest)
    registry = Registry(workspace)
    registered.make_champion(registry, registry.versions.get("digits", 2), expected=None, why="first")
    found = trace(registry, digest)
    assert [(held.data, held.fate) for held in found.held] == [(first.digest, "train")]
    assert [(one.version, one.through) for one in found.learned] == [(1, "training"), (2, "weights")]
    assert found.to_retrain == ["digits"]


@pytest.mark.parametrize(("side", "through"), [("validation", "choice"), ("test", "measure")])
def test_what_was_held_out_was_not_learned_from(workspace: Workspace, side: str, through: str) -> None:
    digest = hashlib.sha256(on(workspace, side).read_bytes()).hexdigest()
    version(workspace, 0, produce(workspace).digest)
    found = trace(Registry(workspace), digest)
    assert [one.through for one in found.learned] == [through]
    assert not found.learned[0].tainted
    assert found.to_retrain == []


def test_a_dropped_file_is_found_in_quarantine(workspace: Workspace) -> None:
    (workspace.root / "texts" / "empty.txt").write_bytes(b"\x00\x01\x02" * 40)
    produce(workspace)
    found = trace(Registry(workspace), hashlib.sha256(b"\x00\x01\x02" * 40).hexdigest())
    assert [held.fate for held in found.held] == ["quarantine"]


def test_what_is_forgotten_is_left_out_and_no_champion_comes_back(workspace: Workspace) -> None:
    path = on(workspace, "train")
    digest, name = digest_of(str(path), workspace)
    first = produce(workspace)
    old = version(workspace, 0, first.digest)
    registry = Registry(workspace)
    registered.make_champion(registry, old, expected=None, why="first")
    forget(workspace, digest, name, "asked for")
    assert forget(workspace, digest, name, "asked for again").why == "asked for"
    assert [entry.name for entry in forgotten(workspace)] == [path.name]
    assert digest not in {item.digest for item in items(recipe(), workspace)}
    second = produce(workspace)
    assert second.digest != first.digest
    assert second.contents.collected == first.contents.collected - 1
    new = version(workspace, 1, second.digest)
    registered.make_champion(registry, new, expected=old.version, why="never saw it")
    assert trace(registry, digest).to_retrain == []
    assert [entry.digest for entry in tainted(registry, old)] == [digest]
    with pytest.raises(ModelError, match="cannot be rolled back to"):
        registered.roll_back(registry, "to see")
    assert registry.current("digits") == new


def test_a_file_that_is_gone_is_named_by_its_hash(workspace: Workspace) -> None:
    assert digest_of("A" * 64, workspace)[0] == "a" * 64
    with pytest.raises(DataError, match="no such file"):
        digest_of("nowhere.png", workspace)


def test_a_row_is_named_by_its_table_and_place(workspace: Workspace) -> None:
    rows = [{"text": f"what stands in row {n}", "label": str(n % 2)} for n in range(60)]
    brought.lines(workspace.root / "rows.jsonl", rows)
    source = {"kind": "folder", "path": "rows.jsonl", "form": "table"}
    mine = parse({"name": "rows", "content": "text", "condition": "label", "sources": [source]})
    produce(workspace, mine)
    digest, name = digest_of("rows.jsonl:7", workspace)
    assert digest == hashlib.sha256(b"what stands in row 6").hexdigest()
    forget(workspace, digest, name, "asked for")
    assert [item.name for item in items(mine, workspace)][5:8] == ["rows.jsonl:6", "rows.jsonl:8", "rows.jsonl:9"]
    with pytest.raises(DataError, match="no such file or item"):
        digest_of("rows.jsonl:61", workspace)


def test_retained_items_outlive_their_source(workspace: Workspace) -> None:
    keeping = recipe(retain=True)
    first = produce(workspace, keeping)
    for path in sorted((workspace.root / "texts").glob("*.txt"))[:10]:
        path.unlink()
    (workspace.root / "texts" / "new.txt").write_text("A morning in the harbour, and nobody there but the gulls.")
    second = produce(workspace, keeping)
    assert second.contents.collected == first.contents.collected + 1
    assert produce(workspace, keeping).digest == second.digest  # collecting twice is collecting once
    assert len(Data(workspace).versions("digits")) == 2
    assert produce(workspace).contents.collected == first.contents.collected - 9  # without `retain`


def test_a_version_is_exported_beside_the_data_in_use(workspace: Workspace) -> None:
    first = produce(workspace)
    on(workspace, "train").unlink()
    second = produce(workspace)
    data = Data(workspace)
    out = data.export("digits", first.digest)
    assert out == data.export("digits", first.digest)
    assert (out / "dataset.json").read_text() != (workspace.clean("digits") / "dataset.json").read_text()
    assert data.current("digits") == second.digest
    (out / "dataset.json").write_text("{}")
    assert "splits" in (data.export("digits", first.digest) / "dataset.json").read_text()  # made anew from the cache
