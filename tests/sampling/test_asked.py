"""What a person may give a model that draws from captions, finishes pictures and begins from them; and what is said where it
cannot be."""

from __future__ import annotations

import io
import warnings
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genwright.core.errors import ModelError
from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.data.words import WORD
from genwright.sampling.model import Model
from genwright.sampling.wish import Doubt
from genwright.training.fit import Fit
from tests import made
from tests.workspaces import scratch

OTHER = ("", "   ", "ein roter Apfel", "красное яблоко", "红苹果", "🍎", "apple " * 5000)


@cache
def model() -> Model:
    """A tiny model of captioned pictures of 8 x 8."""
    return Model(trained(scratch()))


def trained(folder: Path, **how: str) -> Path:
    """Its bundle; `how` pictures are read."""
    image = Part(kind="image", options={"size": [8, 8], "channels": 1, **how})
    data = made.dataset(folder / "data", image, caption=Part(kind="text", options={"vocab": 300, "length": 16}))
    settings = Settings(workspace=folder, threads=1, device="cpu")
    for _ in Fit(data, made.plan(data, "diffusion", steps=4), folder / "fit", settings, data="made"):
        pass
    return folder / "fit" / "bundle"


def file(folder: Path, height: int, width: int, mode: str = "L", kind: str = "png", **how: Any) -> str:
    random = np.random.default_rng(height * width)
    picture = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
    path = folder / f"{mode}-{height}x{width}.{kind}"
    picture.save(path, **how)
    return str(path)


@pytest.mark.parametrize("prompt", OTHER, ids=lambda prompt: ascii(prompt)[:12])
def test_any_text_is_a_prompt(prompt: str) -> None:
    """Unknown words, other scripts, ever so long: what does not fit is cut, the rest is read letter by letter, and both are
    said."""
    with warnings.catch_warnings(record=True) as met:
        [found] = model().generate(1, prompt=prompt, steps=2)
    assert found.shape == (8, 8)
    assert bool(met) == bool(WORD.search(prompt))
    assert all(one.category is Doubt for one in met)
    if len(prompt) > 1000:
        assert any("only 15 of" in str(one.message) for one in met)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"steps": 0}, "steps"),
        ({"steps": 1001}, "steps"),
        ({"steps": "many"}, "steps"),
        ({"guidance": -1}, "guidance"),
        ({"guidance": 99}, "guidance"),
        ({"guidance": float("nan")}, "guidance"),
        ({"strength": 0.0}, "strength"),
        ({"strength": 1.5}, "strength"),
        ({"sampler": "euler"}, "dpm"),
        ({"guided": [0.9, 0.1]}, "smaller one first"),
    ],
    ids=str,
)
def test_options_out_of_range_are_refused_with_what_is_allowed(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match="cannot sample that way") as refused:
        model().generate(1, prompt="a picture", **options)
    assert words in str(refused.value)


def test_a_mask_lies_on_its_picture() -> None:
    """As large as the picture, or of the same form; what it leaves stays to the bit."""
    random = np.random.default_rng(0)
    picture, mask = random.integers(0, 256, (8, 8), dtype=np.uint8), np.zeros((8, 8), dtype=np.uint8)
    mask[:, 4:] = 255
    [found] = model().generate(1, prompt="a picture", image=picture, mask=mask, strength=1.0, steps=2)
    assert np.array_equal(found[:, :4], picture[:, :4])
    assert not np.array_equal(found[:, 4:], picture[:, 4:])
    [again] = model().generate(1, prompt="a picture", image=picture, mask=mask.repeat(4, 0).repeat(4, 1), strength=1.0, steps=2)
    assert np.array_equal(found, again)


def test_nothing_shows_of_what_lies_under_a_mask() -> None:
    """Whatever lies there, the same comes out; unless a strength says that some of it should stay."""
    picture, mask = np.full((8, 8), 90, dtype=np.uint8), np.zeros((8, 8), dtype=np.uint8)
    mask[:, 4:] = 255
    painted = np.where(mask > 0, 255 - picture, picture)
    for how, same in (({}, True), ({"strength": 0.3}, False)):
        asked: dict[str, Any] = {"prompt": "a picture", "mask": mask, "steps": 3, **how}
        one, other = (model().generate(1, image=x, **asked)[0] for x in (picture, painted))
        assert np.array_equal(one, other) is same


def test_a_padded_picture_and_its_mask_lie_alike(tmp_path: Path) -> None:
    """All of a picture twice as wide as high stays where its mask is black, and so do the margins."""
    wide = Model(trained(tmp_path, fit="pad", background="white"))
    picture, mask = np.full((8, 16), 40, dtype=np.uint8), np.zeros((8, 16), dtype=np.uint8)
    mask[:, 8:] = 255
    [found] = wide.generate(1, prompt="a picture", image=picture, mask=mask, steps=2)
    assert (found[:2] == 255).all()
    assert (found[6:] == 255).all()
    assert (abs(found[3:5, :3].astype(int) - 40) <= 2).all()


def test_a_picture_goes_on_beyond_its_edges() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (8, 4), dtype=np.uint8)
    [found] = model().generate(1, prompt="a picture", image=picture, extend="left=0.5,right=0.5", steps=2)
    assert np.array_equal(found[:, 2:6], picture)
    [other] = model().generate(1, prompt="a picture", image=picture, extend={"right": 1.0}, steps=2)
    assert np.array_equal(other[:, :4], picture)
    assert len(np.unique(other[:, 4:])) > 4, "the edge is not only drawn on"


@pytest.mark.parametrize(
    ("extend", "words"),
    [
        ("right", "--extend right=0.5"),
        ("up=1", "top, bottom, left, right"),
        ("right=0", "above 0"),
        ("right=nan", "above 0"),
        ("right=9", "up to 1"),
        ("right=0.01", "less than a pixel"),
        ("right=0.5", "12 x 8 pixels"),
        ("", "above 0"),
    ],
)
def test_what_cannot_be_extended_is_told(extend: str, words: str) -> None:
    with pytest.raises(ModelError) as refused:
        model().generate(1, prompt="a picture", image=np.zeros((8, 8), dtype=np.uint8), extend=extend)
    assert words in str(refused.value)


def test_without_a_picture_there_is_nothing_to_extend() -> None:
    with pytest.raises(ModelError, match="no picture to extend"):
        model().generate(1, prompt="a picture", extend="right=1")


@pytest.mark.parametrize("shape", [(8, 16), (16, 8), (1, 8)])
def test_a_mask_of_another_form_is_refused(shape: tuple[int, int], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="another form than the picture") as refused:
        model().generate(1, prompt="a picture", image=file(tmp_path, 8, 8), mask=file(tmp_path, *shape))
    assert f"{shape[1]} x {shape[0]} pixels beside 8 x 8" in str(refused.value)


def test_a_mask_without_a_picture_and_a_file_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is none"):
        model().generate(1, prompt="a picture", mask=file(tmp_path, 8, 8))
    whole = io.BytesIO()
    Image.fromarray(np.zeros((64, 64), dtype=np.uint8)).save(whole, format="PNG")
    for data in (whole.getvalue()[:60], b"", b"GIF89a", b"hello"):
        with pytest.raises(ModelError, match="cannot be read"):
            model().generate(1, prompt="a picture", image=data)
    with pytest.raises(ModelError, match="cannot be read"):
        model().generate(1, prompt="a picture", image=str(tmp_path / "none.png"))
    with pytest.raises(ModelError, match="cannot be read") as refused:
        model().generate(1, prompt="a\x00picture")
    assert "NUL" in str(refused.value)
