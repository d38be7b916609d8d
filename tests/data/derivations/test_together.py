"""Derivations made of each other, as a data set gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from genwright.core.record import Part
from genwright.data.derivations.resized import scale
from genwright.data.view import Derived, View, Wanted
from tests import made

IMAGE = Part(kind="image", options={"size": [16, 16], "channels": 1})


@pytest.mark.parametrize("held_out", [False, True])
def test_what_is_derived_from_a_part_belongs_to_that_part(tmp_path: Path, held_out: bool) -> None:
    """A model that upscales patches makes what it is given small, mirrored or not, wherever it was cut out."""
    view = View(
        makes="patch",
        given={name: Wanted() for name in ("low", "low_level", "patch_place")},
        derived={
            "patch": Derived(
                part=Part(kind="cropped", options={"size": [8, 8], "mirror": True, "place": True}), of=["content"]
            ),
            "low": Derived(part=Part(kind="degraded", options={"size": [4, 4], "noise": 0.01, "level": True}), of=["patch"]),
        },
    )
    data = made.dataset(tmp_path / "data", IMAGE, view=view)
    batch = data.test.items(np.arange(16)) if held_out else data.train.batch(16, 0, 0)
    assert torch.allclose(batch.given["low"].value, scale(batch.made, (4, 4)), atol=0.06)
    assert len(batch.given["patch_place"].value.unique(dim=0)) > 8
    assert batch.given["low_level"].value.shape == (16, 1)


def test_completing_works_from_a_mask_that_somebody_drew(tmp_path: Path) -> None:
    """The same columns as in training, of the mask given instead of one that is drawn."""
    view = View(
        makes="content",
        given={name: Wanted() for name in ("hidden", "hidden_mask")},
        derived={"hidden": Derived(part=Part(kind="masked"), of=["content"])},
    )
    data = made.dataset(tmp_path / "data", IMAGE, view=view)
    batch = data.train.batch(16, 0, 0)
    making = data.derived["hidden"]
    again = making.hide(batch.made, batch.given["hidden_mask"].value)  # type: ignore[union-attr]
    assert set(again) == {"hidden", "hidden_mask"}
    assert all(torch.equal(again[name].value, batch.given[name].value) for name in again)
