"""Pictures as people have them: in every mode, turned, moving, tiny, endless, and broken."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (24, 32, 3), dtype=np.uint8)
TURNED = 6  # EXIF: the top of the picture lies at its right


def saved(picture: Image.Image, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format=kind, **how)
    return out.getvalue()


def coloured(height: int = 24, width: int = 32) -> Image.Image:
    return Image.fromarray(np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8))


def exif() -> bytes:
    told = Image.Exif()
    told[0x0112] = TURNED
    return saved(coloured(), "JPEG", exif=told)


def moving() -> bytes:
    frames = [Image.fromarray(np.roll(COLOURS, place, axis=0)).convert("P") for place in range(3)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def deep() -> bytes:
    return saved(Image.fromarray(RANDOM.integers(0, 65536, (24, 32), dtype=np.uint16)), "PNG")


def glass() -> bytes:
    """Half of it transparent, with something else underneath."""
    alpha = np.full((24, 32, 1), 255, dtype=np.uint8)
    alpha[:, 16:] = 0
    return saved(Image.fromarray(np.concatenate([COLOURS, alpha], axis=2)), "PNG")


FIT: dict[str, Callable[[], bytes]] = {
    "palette": lambda: saved(coloured().convert("P"), "PNG"),
    "cmyk": lambda: saved(coloured().convert("CMYK"), "JPEG"),
    "deep": deep,
    "transparent": glass,
    "turned": exif,
    "moving": moving,
    "one-bit": lambda: saved(coloured().convert("1"), "PNG"),
    "pixel": lambda: saved(coloured(1, 1), "PNG"),
    "endless": lambda: saved(coloured(3, 20_000), "PNG"),
}
UNFIT: dict[str, Callable[[], bytes]] = {
    "truncated": lambda: saved(coloured(64, 64), "PNG")[:900],
    "cut-jpeg": lambda: saved(coloured(64, 64), "JPEG")[:200],
    "empty": lambda: b"",
    "text": lambda: b"hello",
    "promising": lambda: saved(Image.new("1", (20_000, 20_000)), "PNG"),  # more pixels than are decoded
}
ENDINGS = {"cmyk": "jpg", "turned": "jpg", "cut-jpeg": "jpg", "moving": "gif"}
"""Of those that are no PNG."""
