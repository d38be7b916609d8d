"""The page about a data version: real cleaned data, and everything that was dropped."""

from __future__ import annotations

from pathlib import Path

import pytest

from genwright.core.workspace import Workspace
from genwright.data.clean import clean
from genwright.data.collect import collect
from genwright.recipes import stages
from genwright.recipes.recipe import parse
from genwright.reports.datasheet import gather, write
from tests import brought


def page(root: Path, **recipe: object) -> str:
    """The page about what the recipe makes of `root / "inbox"`."""
    source = {"kind": "folder", "path": "inbox", **(recipe.pop("source", None) or {})}  # type: ignore[dict-item]
    made = parse({"name": "mine", "sources": [source], "split": {"validation": 0.2, "test": 0.2}, **recipe})
    workspace = Workspace(root)
    raw, out = workspace.raw("mine"), workspace.clean("mine")
    collect(stages.collecting(made, workspace), workspace, raw)
    clean(stages.cleaning(made), raw, out)
    return write(gather("mine", "0123456789abcdef", out), root / "page.html").read_text()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = brought.captions(tmp_path / "inbox")
    (folder / "train" / "<script>.png").write_bytes(b"no picture")
    (folder / "train" / "again.png").write_bytes(brought.pictures()[5])
    said = {"<script>": "broken", "again": brought.colours()[5]}
    told = [{"file_name": f"train/{name}.png", "text": text} for name, text in said.items()]
    with (folder / "metadata.jsonl").open("a") as file:
        file.write("".join(f'{{"file_name": "{one["file_name"]}", "text": "{one["text"]}"}}\n' for one in told))
    return tmp_path


def test_pictures_are_shown_mapped_and_what_was_dropped_is_all_named(pictures: Path) -> None:
    table = {"form": {"kind": "table", "content": "file_name", "given": {"caption": "text"}}}
    shown = page(
        pictures,
        content={"kind": "image", "size": [12, 12], "channels": 1},
        condition={"kind": "text", "vocab": 300, "length": 16},
        cleaning=["corrupt", "exact_duplicates", "near_duplicates"],
        source=table,
    )
    assert "0123456789ab" in shown
    assert "a bright shape, number 0" in shown
    assert shown.count("<img") >= 30
    kept = int(shown.split('<p class="value">')[2].split("<")[0])
    assert shown.count("<circle") == kept
    assert "1 by corrupt" in shown
    assert "metadata.jsonl:73" in shown  # what was dropped is named by its row
    assert "1 by exact_duplicates" in shown
    assert "<script>" not in shown


def test_texts_are_shown_and_labels_counted(tmp_path: Path) -> None:
    brought.labelled(tmp_path / "inbox")
    table = {"form": {"kind": "table", "content": "text", "given": {"label": "label"}}}
    shown = page(tmp_path, content={"kind": "text", "vocab": 300, "length": 32}, condition="label", source=table)
    assert "<h3>Labels</h3>" in shown
    assert "plain 36" in shown.replace(",", "")
    assert shown.count("<circle") == brought.N
    assert "Nothing." in shown


def test_copies_are_shown_in_clusters_and_labels_coloured(tmp_path: Path) -> None:
    from PIL import Image

    for place, data in enumerate(brought.pictures()):
        (tmp_path / "inbox" / f"kind{place % 12}").mkdir(parents=True, exist_ok=True)
        (tmp_path / "inbox" / f"kind{place % 12}" / f"{place}.png").write_bytes(data)
    kept = Image.open(tmp_path / "inbox" / "kind5" / "5.png")
    for n in range(1, 10):
        kept.resize((kept.width * 2 + n, kept.height * 2 + n)).save(tmp_path / "inbox" / "kind5" / f"5-copy{n}.png")
    shown = page(
        tmp_path,
        content={"kind": "image", "size": [12, 12], "channels": 1},
        condition="label",
        cleaning=["near_duplicates"],
        source={"labels": "subfolder"},
    )
    clusters = [part.partition("</figure>")[0] for part in shown.partition('class="clusters"')[2].split("<figure")[1:]]
    assert len(clusters) == 1
    assert "9 like it" in clusters[0]
    assert clusters[0].count("<img") == 8
    assert 7 <= shown.count('<i class="key c') <= 8  # six labels and the others, and what has none
    assert "other labels" in shown
