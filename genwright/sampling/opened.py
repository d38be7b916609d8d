"""A model, or a composition of several, opened as the graph of columns that samples are drawn through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from genwright.core.errors import ModelError
from genwright.core.shapes import Shape
from genwright.data.dataset import Kept, Making
from genwright.data.encode import COLUMNS
from genwright.data.modalities.base import Modality
from genwright.data.modalities.base import build as build_modality
from genwright.data.view import View, main_of
from genwright.models import bundle, composition
from genwright.models.architectures.base import encoder
from genwright.models.bundle import Bundle
from genwright.models.records import Used
from genwright.sampling.graph import Graph


def opened(folder: Path, uses: Mapping[str, Path], device: str) -> Graph:
    """The graph of what lies in a folder. `uses` is where the versions lie that it pins, by the name it has for each. Raises
    ModelError when one of them is not there, or is another."""
    pinned = composition.pinned(folder)
    over = {name: _pinned(name, used, uses, device) for name, used in pinned.items()}
    if composition.is_composition(folder):
        info = composition.info(folder)
        recorded = {name: build_modality(part, folder / COLUMNS / name) for name, part in info.columns.items()}
        members = {key: over[key] for key in info.order}
        return _graph(info.view, recorded, members, over)
    one = bundle.load(folder, device)
    return _graph(one.info.view, one.modalities, {"": one}, over)


def _graph(view: View, recorded: Mapping[str, Modality], members: Mapping[str, Bundle], over: Mapping[str, Bundle]) -> Graph:
    if view.makes is None:
        raise ModelError("This model makes nothing by itself.", do="ask the model that it is a part of")
    made = makings(view, recorded, members, over)
    return Graph(recorded, made, members, view, _shown(view.makes, made))


def _shown(column: str, made: Mapping[str, Making]) -> str:
    """What a person sees of a column: what it is a code of, where there is a way back."""
    main = main_of(column, made)
    if main is None or not made[main].derivation.invertible or len(made[main].shapes) != 1:
        return column
    return _shown(made[main].of[0], made)


def _pinned(name: str, used: Used, uses: Mapping[str, Path], device: str) -> Bundle:
    if name not in uses:
        raise ModelError(f"{used.model} version {used.version}, which this is made over, is not at hand.", got=sorted(uses))
    loaded = bundle.load(uses[name], device)
    if loaded.weights != used.weights:
        raise ModelError(
            f"{used.model} is not the version that this was made over.", got=loaded.weights[:12], allowed=used.weights[:12]
        )
    return loaded


def makings(
    view: View, recorded: Mapping[str, Modality], members: Mapping[str, Bundle], over: Mapping[str, Bundle]
) -> dict[str, Making]:
    """The derivations of a view, each after those it needs, with what they learned from the members' data and with the
    models that do the encoding."""
    learned: dict[str, Kept] = {}
    for one in members.values():
        learned |= one.info.kept
    found: dict[str, Making] = {}
    shapes: dict[str, Shape] = {name: modality.shape for name, modality in recorded.items()}
    waiting = dict(view.derived)
    while waiting:
        name = next((name for name, derived in waiting.items() if set(derived.of) <= set(shapes)), None)
        if name is None:
            raise ModelError("Derived columns are made of what is not there.", got=", ".join(sorted(waiting)))
        derived = waiting.pop(name)
        by = derived.part.options.get("by")
        model = encoder(over[str(by)].model) if by is not None and str(by) in over else None
        found[name] = Making(name, derived, [shapes[of] for of in derived.of], model)
        if name in learned:
            found[name].derivation.load(learned[name].state)
        shapes |= found[name].shapes
    return found
