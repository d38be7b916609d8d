"""What a person may give a model that draws from captions, finishes pictures and begins from them; and what is said where it
cannot be."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from genwright.core.errors import ModelError
from genwright.core.record import Part
from genwright.core.workspace import Settings
from genwright.sampling.model import Model
from genwright.training.fit import Fit
from tests import made
from tests.workspaces import scratch

OTHER = ("", "   ", "ein roter Apfel", "красное яблоко", "红苹果", "🍎", "apple " * 5000)


@cache
def model() -> Model:
    """A tiny model of captioned pictures of 8 x 8."""
    folder = scratch()
    image = Part(kind="image", options={"size": [8, 8], "channels": 1})
    data = made.dataset(folder / "data", image, caption=Part(kind="text", options={"vocab": 300, "length": 16}))
    settings = Settings(workspace=folder, threads=1, device="cpu")
    for _ in Fit(data, made.plan(data, "diffusion", steps=4), folder / "fit", settings, data="made"):
        pass
    return Model(folder / "fit" / "bundle")


def file(folder: Path, height: int, width: int, mode: str = "L", kind: str = "png", **how: Any) -> str:
    random = np.random.default_rng(height * width)
    picture = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).convert(mode)
    path = folder / f"{mode}-{height}x{width}.{kind}"
    picture.save(path, **how)
    return str(path)


@pytest.mark.parametrize("prompt", OTHER, ids=lambda prompt: ascii(prompt)[:12])
def test_any_text_is_a_prompt(prompt: str) -> None:
    """Unknown words, other scripts, ever so long: what does not fit is cut, and the rest is read letter by letter."""
    [found] = model().generate(1, prompt=prompt, steps=2)
    assert found.shape == (8, 8)


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


@pytest.mark.parametrize(
    ("height", "width", "mode", "kind"),
    [(1, 1, "L", "png"), (3, 20_000, "L", "png"), (30, 20, "CMYK", "jpg"), (20, 30, "RGBA", "png"), (16, 16, "P", "gif")],
)
def test_any_picture_can_be_begun_from(height: int, width: int, mode: str, kind: str, tmp_path: Path) -> None:
    [found] = model().generate(1, prompt="a picture", image=file(tmp_path, height, width, mode, kind), strength=0.5, steps=2)
    assert found.shape == (8, 8)


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
