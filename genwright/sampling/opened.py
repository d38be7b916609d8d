"""A bundle, or a composition of several, opened as the graph of columns that samples are drawn through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genwright.core.shapes import Shape
from genwright.data.dataset import Making
from genwright.data.modalities.base import Modality
from genwright.data.view import View
from genwright.models import bundle
from genwright.sampling.graph import Graph


def opened(folder: Path, uses: Mapping[str, Path], device: str) -> Graph:
    """The graph of one model, or of a composition. `uses` is where the versions lie that are pinned. Raises ModelError."""
    one = bundle.load(folder, device)
    assert one.info.view.makes is not None
    return Graph(one.modalities, makings(one.info.view, one.modalities), {"": one}, one.info.view, one.info.view.makes)


def makings(view: View, recorded: Mapping[str, Modality]) -> dict[str, Making]:
    """The derivations of a view, each after those it needs."""
    found: dict[str, Making] = {}
    shapes: dict[str, Shape] = {name: modality.shape for name, modality in recorded.items()}
    waiting = dict(view.derived)
    while waiting:
        name = next(name for name, derived in waiting.items() if set(derived.of) <= set(shapes))
        derived = waiting.pop(name)
        found[name] = Making(name, derived, [shapes[of] for of in derived.of])
        shapes |= found[name].shapes
    return found
