"""Forms that are recognised and cannot be learned from yet: what they are, and what can be done with them meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from genwright.core.errors import DataError

TEXTS = "give a table or text that lies among them alone, `--from TABLE`, to learn from the words"
COMING = {
    "sound": (frozenset([".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff"]), TEXTS),
    "music as notes": (
        frozenset([".mid", ".midi", ".abc", ".musicxml", ".mxl"]),
        "convert them to ABC, a text form, with the ending .txt: a model of texts learns from that",
    ),
    "video": (
        frozenset([".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpeg"]),
        "cut pictures out of them, e.g. `ffmpeg -i CLIP -vf fps=1 pictures/%05d.png`, and learn from those",
    ),
    "3D shapes": (frozenset([".glb", ".gltf", ".obj", ".ply", ".stl", ".off"]), "draw them as pictures, and learn from those"),
}
SPEECH = {"metadata.csv", "metadata.txt", "manifest.jsonl", "data.jsonl"}
"""Tables that lie beside recordings and say what is spoken: LJSpeech, NeMo, audiocraft."""


def refuse(at: Path, every: Sequence[Path]) -> None:
    """Raises DataError where most of the files are of a kind that is yet to come."""
    endings = Counter(path.suffix.lower() for path in every)
    counts = {kind: sum(endings[ending] for ending in known) for kind, (known, _) in COMING.items()}
    kind = max(counts, key=lambda name: counts[name])
    if counts[kind] * 2 <= len(every):
        return
    table = next((path for path in every if path.name.lower() in SPEECH), None)
    told = f" with what is said in {table.relative_to(at).as_posix()}" if kind == "sound" and table is not None else ""
    raise DataError(
        f"This is {kind}, which cannot be learned from yet.",
        got=f"{counts[kind]:,} files of {kind}{told}, of {len(every):,} in {at}",
        allowed="pictures, texts, programs, and pairs of them with labels, captions or answers",
        do=COMING[kind][1],
    )
