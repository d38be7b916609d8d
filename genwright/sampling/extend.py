"""A picture continued beyond its edges (outpainting): a larger canvas, and a mask by which all but the picture is made anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwright.core.errors import ModelError

SIDES = ("top", "bottom", "left", "right")
MOST = 1.0  # times its height or width, that a picture grows by on a side
NEAR = 0.05  # relative difference of two forms that does not matter

Picture = NDArray[np.uint8]


def sides(told: str | Mapping[str, Any]) -> dict[str, float]:
    """By how much of its height or width a picture grows on which sides, of `right=0.5,top=0.25` or a mapping. Raises
    ModelError."""
    try:
        pairs = dict(part.split("=") for part in told.split(",")) if isinstance(told, str) else dict(told)
        found = {name.strip(): float(share) for name, share in pairs.items()}
    except (TypeError, ValueError):
        found = {}
    if not found or not set(found) <= set(SIDES) or not all(0 < share <= MOST for share in found.values()):
        raise ModelError(
            "A picture is extended by shares of its own size.",
            got=told,
            allowed=f"{', '.join(SIDES)}, each by a share above 0 and up to {MOST:g}",
            do="e.g. --extend right=0.5,left=0.5",
        )
    return found


def extended(picture: Picture, by: Mapping[str, float], size: tuple[int, ...] | None) -> tuple[Picture, Picture]:
    """The canvas, in whose new parts the picture's edges go on, and the mask (height, width) of these: 255 there, 0 where the
    picture is. Raises ModelError where not a pixel comes to it, or it is of another form than `size`, to which it would be
    cut."""
    height, width = picture.shape[:2]
    top, bottom = (round(by.get(side, 0.0) * height) for side in SIDES[:2])
    left, right = (round(by.get(side, 0.0) * width) for side in SIDES[2:])
    around = ((top, bottom), (left, right))
    canvas = np.pad(picture, (*around, *((0, 0),) * (picture.ndim - 2)), mode="edge")
    rows, columns = canvas.shape[:2]
    if canvas.shape == picture.shape:
        raise ModelError("That is less than a pixel of this picture.", got=dict(by), do="extend it by more")
    if size is not None and abs(rows * size[1] / (columns * size[0]) - 1) > NEAR:
        raise ModelError(
            "The extended picture is of another form than what this model makes, and would be cut.",
            got=f"{columns} x {rows} pixels",
            allowed=f"the form of {size[1]} x {size[0]}",
            do="extend other sides as well, or give a part of the picture",
        )
    return canvas, np.pad(np.zeros((height, width), dtype=np.uint8), around, constant_values=255)
