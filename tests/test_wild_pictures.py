"""Pictures as people have them, collected, cleaned, learned from and begun from: each is taken as a person expects, or left out
with a reason."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genwright.core.errors import ModelError
from genwright.core.workspace import Settings, Workspace
from genwright.data import quarantine
from genwright.data.dataset import Dataset
from genwright.recipes.recipe import parse
from genwright.sampling.model import Model
from genwright.training.fit import Fit
from tests import made, wild
from tests.workspaces import fill, scratch
from trials.frauds import cleaned

CHANNELS = pytest.mark.parametrize("channels", [1, 3, 4])


@cache
def data(channels: int) -> Dataset:
    """Wild pictures among tame ones, through collection and cleaning."""
    folder = scratch()
    fill(folder / "tame", "image", 40)
    for name, make in (wild.FIT | wild.UNFIT).items():
        (folder / "tame" / f"{name}.{wild.ENDINGS.get(name, 'png')}").write_bytes(make())
    recipe: dict[str, Any] = {
        "name": "wild",
        "content": {"kind": "image", "size": [16, 16], "channels": channels},
        "sources": [{"kind": "folder", "path": str(folder / "tame")}],
        "cleaning": ["corrupt", "exact_duplicates"],
        "split": {"validation": 0.2, "test": 0.3},
    }
    return cleaned(parse(recipe), Workspace(folder))


@cache
def model(channels: int) -> Model:
    folder = scratch()
    settings = Settings(workspace=folder, threads=1, device="cpu")
    for _ in Fit(data(channels), made.plan(data(channels), "diffusion", steps=4), folder / "fit", settings, data="wild"):
        pass
    return Model(folder / "fit" / "bundle")


@CHANNELS
def test_what_can_be_read_is_kept_and_what_cannot_is_named_with_the_reason(channels: int) -> None:
    found = data(channels)
    assert sum(found.contents.splits.values()) == 40 + len(wild.FIT)
    left = {item.name: item.reason for items in quarantine.examples(found.folder, each=20).values() for item in items}
    assert {Path(name).stem for name in left} == set(wild.UNFIT)
    assert all(reason for reason in left.values())


@CHANNELS
@pytest.mark.parametrize("name", wild.FIT)
def test_any_of_them_can_be_begun_from(name: str, channels: int, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(wild.FIT[name]())
    [found] = model(channels).generate(1, image=str(tmp_path / name), strength=0.5, steps=2)
    assert found.shape == ((16, 16) if channels == 1 else (16, 16, channels))


@pytest.mark.parametrize("name", wild.UNFIT)
def test_what_cannot_be_read_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(wild.UNFIT[name]())
    with pytest.raises(ModelError, match="cannot be read"):
        model(3).generate(1, image=str(tmp_path / name))


def test_a_turned_picture_stands_upright_and_of_a_moving_one_the_first_frame_counts() -> None:
    upright = model(3).content.read(wild.exif())
    assert upright.shape == (32, 24, 3)
    first = model(3).content.read(wild.saved(wild.Image.fromarray(wild.COLOURS).convert("P"), "GIF"))
    assert np.array_equal(model(3).content.read(wild.moving()), first)


def test_what_is_transparent_lies_on_the_background_or_stays_transparent() -> None:
    seen = model(3).content.read(wild.glass())
    assert (seen[:, 16:] == 255).all()
    assert np.array_equal(seen[:, :16], wild.COLOURS[:, :16])
    kept = model(4).content.read(wild.glass())
    assert (kept[:, 16:, 3] == 0).all()
    assert np.array_equal(kept[:, :16, :3], wild.COLOURS[:, :16])
