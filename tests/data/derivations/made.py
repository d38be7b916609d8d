"""Columns to derive from: one of every kind of shape, a codec, and derivations with options."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pydantic_core import PydanticUndefined
from sklearn.datasets import load_digits
from torch import Tensor

from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.shapes import Label, Shape, Signal, Tokens
from genwright.data.derivations.base import Derivation, derivations

SHAPES: dict[str, Shape] = {
    "grey": Signal(channels=1, axes=(28, 28), over=("y", "x")),
    "colour": Signal(channels=3, axes=(24, 16), over=("y", "x")),
    "odd": Signal(channels=2, axes=(13, 9), over=("y", "x")),
    "one column": Signal(channels=1, axes=(12, 1), over=("y", "x")),
    "sound": Signal(channels=1, axes=(50,), over=("t",)),
    "film": Signal(channels=3, axes=(6, 10, 8), over=("t", "y", "x")),
    "latents": Signal(channels=4, axes=(8, 8), over=("y", "x"), bounded=False),
    "vector": Signal(channels=6),
    "points": Signal(channels=3, axes=(20,), over=("point",)),
    "text": Tokens(vocab=40, length=12),
    "label": Label(classes=4),
}


class Codec:
    """Halves pictures and doubles them again; of captions it takes one token in two, of labels the parity, and of styles it
    makes a vector, without a way back."""

    decodable = frozenset({"content"})
    codes: dict[str, Shape] = {
        "content": Signal(channels=2, axes=(4, 3), over=("y", "x"), bounded=False),
        "caption": Tokens(vocab=40, length=6),
        "parity": Label(classes=2),
        "style": Signal(channels=3, bounded=False),
    }

    def encode(self, column: str, value: Tensor) -> Tensor:
        if column == "content":
            return torch.cat([value[:, :, ::2, ::2] * 5 + 3, value[:, :, 1::2, ::2] * 0.1 - 7], dim=1)
        if column == "style":
            return value[:, 0, :3, 0]
        return value % 2 if column == "parity" else value[:, ::2]

    def decode(self, column: str, code: Tensor) -> Tensor:
        if column == "style":
            raise ModelError("There is no way back.")
        if column != "content":
            return code
        rows = torch.stack([(code[:, :1] - 3) / 5, (code[:, 1:] + 7) / 0.1], dim=3).flatten(2, 3)
        return rows.repeat_interleave(2, dim=3)


def derivation(name: str, **options: Any) -> Derivation:
    kind = derivations.get(name)
    return kind(kind.Options.model_validate(options), Codec() if kind.needs_model else None)


def filled(name: str, shape: Shape) -> dict[str, Any]:
    """Options for what must be said: sizes half as long, half of the items, and any name."""
    half = tuple(max(1, length // 2) for length in getattr(shape, "axes", ())) or (4,)
    fields = derivations.get(name).Options.model_fields
    needed = (field for field in fields if fields[field].get_default(call_default_factory=True) is PydanticUndefined)
    given: dict[str, Any] = {"size": half, "share": 0.5}
    options = {field: given.get(field, "codec") for field in needed}
    return options | ({"column": "style"} if name == "predicted" else {})


def values(shape: Shape, n: int, seed: int = 0) -> Tensor:
    """(n, ...) columns of that shape, the first row of equal numbers."""
    random = np.random.default_rng(seed)
    if isinstance(shape, Tokens):
        return torch.from_numpy(random.integers(0, shape.vocab, (n, shape.length)))
    if isinstance(shape, Label):
        return torch.from_numpy(random.integers(0, shape.classes, n))
    found = random.normal(size=(n, *shape.dims)) if not shape.bounded else random.uniform(-1, 1, (n, *shape.dims))
    found[0] = 0.5
    return torch.from_numpy(found.astype(np.float32))


def digits(n: int, side: int) -> Tensor:
    """(n, 1, side, side) handwritten digits in [-1, 1]."""
    small = torch.from_numpy(load_digits().images[:n].astype(np.float32))[:, None] / 8 - 1
    return torch.nn.functional.interpolate(small, size=(side, side), mode="bilinear", align_corners=False)


def disc(side: int, radius: float, low: float = -1.0, high: float = 1.0) -> Tensor:
    """(1, 1, side, side): a disc in the middle, of a radius in pixels."""
    at = torch.arange(side) - (side - 1) / 2
    return torch.where((at[:, None].square() + at.square()).sqrt() < radius, high, low)[None, None]


def draws(n: int, step: int = 0, seed: int = 0) -> Draws:
    return Draws.of(seed, step, range(n))
