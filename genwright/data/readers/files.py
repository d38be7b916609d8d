"""A file is an item: of the kind of the content, with the folder it lies in as its label, or a side file as its caption."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.sides import WORDS
from genwright.data.tree import Tree, modified, printable

RANK = 10
MOST_CLASSES = 1000
CAPTION_ENDINGS = (".txt", ".caption")


class FilesOptions(Record):
    """Where labels and captions of files are. A source has these as its own."""

    labels: Literal["subfolder", "parent"] | None = Field(
        None, description="label of an item: the first folder of its path, or the folder it lies in"
    )
    captions: str | None = Field(
        None, min_length=2, description="ending of side files that hold a caption: `.txt` pairs a.png with a.txt"
    )


@readers.register
class FilesReader(Reader):
    """Every file with an ending that the content reads, or that `include` names."""

    name = "files"
    Options: ClassVar[type[Record]] = FilesOptions
    options: FilesOptions

    @classmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        every = [path for path in tree.paths() if tree.refused(path) is None]
        captions, side = _captions(every)
        endings = Counter(path.suffix.lower() for path in every if path not in side)
        by_kind = {name: sum(endings[ending] for ending in kind.suffixes) for name, kind in modalities.all().items()}
        kind = max(by_kind, key=lambda name: by_kind[name])
        if not by_kind[kind]:
            return None
        files = [path for path in every if path not in side and path.suffix.lower() in modalities.get(kind).suffixes]
        labels, classes = _labels(tree.root, files)
        notes: tuple[str, ...] = ()
        why = f"each of {by_kind[kind]:,} files is an item"
        if captions is not None and labels is not None:
            told = f"{len(classes)} folders look like labels; the captions say more, so they are not taken as labels"
            labels, notes = None, (told,)
        options = {"labels": labels, "captions": captions}
        return Claim(why, kind, RANK, {name: one for name, one in options.items() if one is not None}, notes)

    def files(self) -> Iterator[Path]:
        for path in self._wanted():
            yield path
            if (side := self._side(path)) is not None:
                yield side

    def rows(self) -> Iterator[Row]:
        collected = 0
        for path in self._wanted():
            data = self.tree.read(path)
            if data is not None:
                collected += 1
                yield Row(self.tree.name(path), {"content": data, **self._given(path)}, modified(path))
        if not collected:
            raise self._nothing()

    def _wanted(self) -> Iterator[Path]:
        self.others = Counter[str]()
        for path in self.tree.paths():
            ending, caption = path.suffix.lower(), self.options.captions
            chosen = self.tree.chosen(path)
            if caption and path.name.lower().endswith(caption.lower()):
                continue
            if chosen or (chosen is None and ending in self.suffixes):
                yield path
            else:
                self.others[ending or "no ending"] += 1

    def _given(self, path: Path) -> dict[str, bytes]:
        """The label and the caption of a file, where there are any."""
        found: dict[str, Any] = {}
        parts = path.relative_to(self.tree.root).parts
        if self.options.labels and len(parts) > 1:
            found["label"] = printable(parts[0] if self.options.labels == "subfolder" else parts[-2]).encode()
        side = self._side(path)
        caption = None if side is None else self.tree.read(side)
        return found if caption is None else found | {"caption": caption}

    def _side(self, path: Path) -> Path | None:
        ending = self.options.captions or ""
        beside = (path.with_name(path.stem + written) for written in (ending, ending.upper()) if written)
        return next((side for side in beside if side.is_file()), None)

    def _nothing(self) -> DataError:
        wanted = self.tree.include or sorted(self.suffixes)
        there = ", ".join(f"{count} x {ending}" for ending, count in self.others.most_common(5)) or "no file"
        if self.tree.skipped:
            name, reason = next(iter(self.tree.skipped.items()))
            there += f"; {len(self.tree.skipped)} skipped, e.g. {name}: {reason}"
        return DataError(
            f"No file to collect in {self.tree.at}.",
            got=there,
            allowed=" ".join(wanted) or "nothing: the content reads no file ending, so `include` is needed",
            do="put files there, or correct `include` and `exclude` in the recipe",
        )


def _captions(every: list[Path]) -> tuple[str | None, set[Path]]:
    """The ending of texts that lie beside pictures under the same name, and those texts, where most pictures have one."""
    pictures = {p.with_suffix("") for p in every if p.suffix.lower() in modalities.get("image").suffixes}
    for ending in CAPTION_ENDINGS:
        beside = {p for p in every if p.suffix.lower() == ending and p.with_suffix("") in pictures}
        if pictures and len(beside) >= len(pictures) / 2:
            return ending, beside
    return None, set()


def _labels(folder: Path, files: list[Path]) -> tuple[Literal["subfolder", "parent"] | None, dict[str, int]]:
    """Where labels come from, and how many files have each; nothing when folders do not look like classes.

    Folders called train, test and the like are not classes, nor one folder around all; the folder a file lies in may be.
    """
    relative = [path.relative_to(folder).parts for path in files]
    first = Counter(parts[0] for parts in relative if len(parts) > 1)
    wrapped = len(first) == 1 and all(len(parts) > 2 for parts in relative)  # as in an archive of one folder
    split = wrapped or {name.lower() for name in first} <= set(WORDS)
    where: Literal["subfolder", "parent"] = "parent" if split else "subfolder"
    counts: defaultdict[str, int] = defaultdict(int)
    for parts in relative:
        if len(parts) > (2 if split else 1):
            counts[parts[-2] if split else parts[0]] += 1
    classes = {printable(name): n for name, n in sorted(counts.items())}
    enough = sum(classes.values()) >= 0.5 * len(files) and statistics.median(classes.values() or [0]) >= 5
    if not 2 <= len(classes) <= MOST_CLASSES or not enough or not all(name.isprintable() and name.strip() for name in classes):
        return None, {}
    return where, classes
