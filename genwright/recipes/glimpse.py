"""What a model would see of the data: some items after cropping or cutting, how long or large they are, and what is cut off."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genwright.core.errors import Unreadable
from genwright.core.record import Part
from genwright.core.shapes import Tokens
from genwright.data.item import Item
from genwright.data.modalities.base import Modality, modalities
from genwright.data.modalities.base import build as build_modality
from genwright.recipes.suggest import Proposal

SHOWN, WIDE = 3, 400  # items, and characters of each
PICTURES = 24  # on a sheet
BARS, WIDTH = 8, 30  # of a histogram


@dataclass(frozen=True)
class Glimpse:
    """`seen` are items as words, what they are asked by first; `sheet` shows pictures. `sizes` are tokens of a text, or pixels
    of a picture's longer side; `unit` says which. `cut` is the share of items that do not fit, and of all that is in them that
    is lost; None where nothing is."""

    seen: list[tuple[str, str]]
    sheet: Path | None
    sizes: list[int]
    unit: str
    cut: tuple[float, float] | None


def glimpse(proposal: Proposal, place: Path) -> Glimpse:
    """Of the items that `new` looked at; a sheet of pictures goes to `place`."""
    found = proposal.found
    modality = build_modality(Part(kind=found.kind, options=proposal.content))
    usable = [(item, value) for item in found.sample if (value := _value(modality, item)) is not None]
    modality.fit([value for _, value in usable])
    if found.kind == "image":
        return _pictured(modality, usable, place)
    shown = usable[:: max(1, len(usable) // SHOWN)][:SHOWN]
    asked = [_asked(item) for item, _ in shown]
    assert isinstance(modality.shape, Tokens)
    length = modality.shape.length
    encoded = [array for _, value in usable if (array := modality.encode(value)) is not None]
    seen = [str(modality.decode(_encoded(modality, value)[: length - 2]))[:WIDE] for _, value in shown]
    sizes = [len(array) for array in encoded]
    whole = sum(sizes)
    lost = sum(max(0, size - (length - 2)) for size in sizes)
    # A text that nothing is given with is read to its end, a window after the other; an answer is cut.
    cut = (float(np.mean([size > length - 2 for size in sizes])), lost / max(1, whole)) if lost and found.asked else None
    return Glimpse(list(zip(asked, seen, strict=True)), None, sizes, "tokens", cut)


def _pictured(modality: Modality, usable: list[tuple[Item, Any]], place: Path) -> Glimpse:
    chosen = usable[:: max(1, len(usable) // PICTURES)][:PICTURES]
    values = [modality.decode(_encoded(modality, value).astype(np.float32) / 127.5 - 1.0) for _, value in chosen]
    asked = [_asked(item) for item, _ in chosen]
    place.parent.mkdir(parents=True, exist_ok=True)
    sheet = modality.preview(values, place, asked if any(asked) else ())
    seen = [(words, item.name) for words, (item, _) in zip(asked[:SHOWN], chosen, strict=False)]
    return Glimpse(seen, sheet, [max(value.shape[:2]) for _, value in usable], "pixels", None)


def histogram(sizes: list[int]) -> list[tuple[str, int]]:
    """Ranges that double, and how many there are in each."""
    if not sizes:
        return []
    low, high = max(1, min(sizes)), max(1, max(sizes))
    edges = np.unique(np.geomspace(low, high + 1, BARS + 1).round().astype(int))
    counts, edges = np.histogram(sizes, edges if len(edges) > 1 else [low, low + 1])
    return [(f"{a} to {b - 1}" if b - a > 1 else f"{a}", int(n)) for a, b, n in zip(edges, edges[1:], counts, strict=False)]


def bars(sizes: list[int]) -> list[str]:
    """The same as lines for a terminal."""
    told = histogram(sizes)
    most = max((n for _, n in told), default=1)
    wide = max((len(words) for words, _ in told), default=0)
    return [f"{words:>{wide}} {'█' * round(WIDTH * n / most)} {n}" for words, n in told]


def _value(modality: Modality, item: Item) -> Any:
    try:
        value = modality.read(item.data)
    except Unreadable:
        return None
    return value if modality.keep(value) is None else None


def _asked(item: Item) -> str:
    """What an item would be asked by."""
    others = list(item.columns.values())[1:]
    text = modalities.get("text")
    try:
        words = str(build_modality(Part(kind=text.name)).read(others[0])) if others else ""
    except Unreadable:
        return ""  # a picture
    return " ".join(words.split())[:WIDE]


def _encoded(modality: Modality, value: Any) -> Any:
    array = modality.encode(value)
    assert array is not None
    return array
