"""What lies beside a picture under its name: captions in a text, and the picture that it is made from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from genwright.data.modalities.base import modalities

CAPTIONS = (".txt", ".caption")
CONTROLS = ("-condlabel", "-masklabel")
"""What is added to a picture's name for that of the picture or mask it is made from, the more telling first."""
DEFAULT = "default"
"""Name of a text with the caption of all pictures of its folder that have none of their own."""
COUNTED = 200  # texts in which lines are counted
SEVERAL = 0.25  # share of texts with several lines from which each line is a caption
ENOUGH = 0.5  # share of pictures that must have something beside them


class Found(NamedTuple):
    """`files` are no items of their own. `captions`, `lines` and `control` are options of the reader; pictures with a name in
    `aside` are not read; `notes` are for a person."""

    files: frozenset[Path]
    captions: str | None
    lines: bool
    control: str | None
    aside: list[str]
    notes: list[str]


def look(every: Sequence[Path]) -> Found:
    """What of these files lies beside others."""
    pictures = {path.with_suffix(""): path for path in every if path.suffix.lower() in modalities.get("image").suffixes}
    controls = {name: {path for stem, path in pictures.items() if _base(stem, name) in pictures} for name in CONTROLS}
    named = frozenset[Path]().union(*controls.values())
    plain = {stem for stem, path in pictures.items() if path not in named}
    control = next((name for name in CONTROLS if plain and len(controls[name]) >= ENOUGH * len(plain)), None)
    captions, texts = _captions(every, plain)
    several = sum(len(lines(path.read_bytes())) > 1 for path in texts[:COUNTED])
    apart = several > SEVERAL * min(len(texts), COUNTED)
    others = [name for name, found in controls.items() if found and name != control]
    notes = [f"{len(controls[name]):,} pictures called {name} are left aside" for name in others]
    if apart:
        notes.append("side files have several lines: each line is a caption, and its picture an item with each of them")
    elif several:
        notes.append(f"{several:,} side files have several lines, and are one caption; `caption_lines: true` takes each line")
    return Found(named | set(texts), captions, apart, control, others, notes)


def lines(text: bytes) -> list[bytes]:
    """The captions in a text of one a line; the blank text where there is none, which says that there is deliberately none."""
    return [line.strip() for line in text.splitlines() if line.strip()] or [b""]


def fits(path: Path, control: str) -> bool:
    """Whether a file is called as that of another with `control` added."""
    return path.stem.lower().endswith(control.lower())


def control_of(path: Path, control: str, suffixes: frozenset[str]) -> Path | None:
    """The picture that one is made from."""
    endings = (path.suffix, *(form(ending) for ending in sorted(suffixes) for form in (str.lower, str.upper)))
    beside = (path.with_name(f"{path.stem}{control}{ending}") for ending in endings)
    return next((one for one in beside if one.is_file()), None)


def caption_of(path: Path, ending: str) -> Path | None:
    """The text with the caption of a picture, else with that of its folder."""
    names = (f"{stem}{form}" for stem in (path.stem, DEFAULT) for form in dict.fromkeys((ending, ending.upper())))
    return next((side for name in names if (side := path.with_name(name)).is_file()), None)


def _base(stem: Path, control: str) -> Path | None:
    name = stem.name
    return stem.with_name(name[: -len(control)]) if name.lower().endswith(control) and len(name) > len(control) else None


def _captions(every: Sequence[Path], pictures: set[Path]) -> tuple[str | None, list[Path]]:
    """The ending of texts with the captions of pictures, where most pictures have one, and those texts."""
    for ending in CAPTIONS:
        texts = {path.with_suffix(""): path for path in every if path.suffix.lower() == ending}
        used = [stem if stem in texts else stem.with_name(DEFAULT) for stem in pictures]
        used = [stem for stem in used if stem in texts]
        if pictures and len(used) >= ENOUGH * len(pictures):
            return ending, sorted({texts[stem] for stem in used})
    return None, []
