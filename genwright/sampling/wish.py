"""From what a person gives (a label, a text, a file) to rows of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from genwright.core.errors import ModelError, Unreadable
from genwright.core.shapes import Label, Shape, Signal
from genwright.data.columns import row_of
from genwright.data.modalities.base import Modality


class Doubt(UserWarning):
    """What is given can be taken, and what comes of it may not be what a person expects."""


def read(name: str, value: Any, shape: Shape, reader: Modality | None) -> Tensor:
    """The row of a column that is given. `value`: a label or text as it is (`@FILE`: what a file holds); for anything else a
    path or bytes of a file, an array as `generate` returns, or numbers for a plain vector. Raises ModelError."""
    if isinstance(shape, Signal) and not shape.axes and reader is None:
        return _vector(name, value, shape)
    if reader is None:
        raise ModelError(f"{name} cannot be given from outside.", got=shape, do="give what it is made from")
    array = reader.encode(known(name, value, shape, reader))
    if array is None:
        what = "label" if isinstance(shape, Label) else name
        raise ModelError(f"The model knows no such {what}.", got=value, allowed=getattr(reader, "labels", None))
    return row_of(shape, array)


def known(name: str, value: Any, shape: Shape, reader: Modality) -> Any:
    """What is given as a value of its modality. Raises ModelError."""
    try:
        return value if isinstance(value, np.ndarray) else reader.read(content(name, value, shape))
    except Unreadable as error:
        raise ModelError(f"{name} cannot be read.", got=value, allowed=error) from error


def content(name: str, value: Any, shape: Shape) -> bytes:
    """The bytes of what is given."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and not value.startswith("@") and not isinstance(shape, Signal):
        return value.encode()
    path = Path(str(value).removeprefix("@"))
    try:
        return path.read_bytes()
    except OSError as error:
        what = f"The label for {name}" if isinstance(shape, Label) else f"The file for {name}"
        raise ModelError(f"{what} cannot be read.", got=error, do="give the path of a file") from error


def _vector(name: str, value: Any, shape: Signal) -> Tensor:
    """Numbers, or a `.npy` file of them."""
    try:
        if isinstance(value, str | Path):
            text = str(value).removeprefix("@")
            value = np.load(text, allow_pickle=False) if text.endswith(".npy") else [float(x) for x in text.split(",")]
        found = torch.as_tensor(np.asarray(value, dtype=np.float32)).flatten()
    except (OSError, ValueError) as error:
        raise ModelError(f"{name} cannot be read.", got=error, allowed=f"{shape.channels} numbers, or a .npy file") from error
    if len(found) != shape.channels or not bool(torch.isfinite(found).all()):
        raise ModelError(f"{name} is {shape.channels} numbers.", got=f"{len(found)} numbers")
    return found
