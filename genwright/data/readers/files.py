"""A file is an item: of the kind of the content, with the folder it lies in as its label, or a side file as its caption."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.readers import beside
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.sides import WORDS
from genwright.data.tree import Tree, modified, printable

RANK = 10
MOST_CLASSES = 1000


class FilesOptions(Record):
    """Where labels, captions and controls of files are. A source has these as its own."""

    labels: Literal["subfolder", "parent"] | None = Field(
        None, description="label of an item: the first folder of its path, or the folder it lies in"
    )
    captions: str | None = Field(
        None,
        min_length=2,
        description="ending of side files that hold a caption: `.txt` pairs a.png with a.txt, or else with default.txt",
    )
    caption_lines: bool = Field(
        False, description="whether each line of a side file is a caption: its picture is then an item with each of them"
    )
    control: str | None = Field(
        None, min_length=1, description="what a picture is made from: `-condlabel` pairs a.jpg with a-condlabel.png"
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
        found = beside.look(every)
        endings = Counter(path.suffix.lower() for path in every if path not in found.files)
        by_kind = {name: sum(endings[ending] for ending in kind.suffixes) for name, kind in modalities.all().items()}
        kind = max(by_kind, key=lambda name: by_kind[name])
        if not by_kind[kind]:
            return None
        suffixes = modalities.get(kind).suffixes
        files = [path for path in every if path not in found.files and path.suffix.lower() in suffixes]
        labels, classes = _labels(tree.root, files)
        notes = list(found.notes)
        if labels is not None and (found.captions or found.control):
            notes.append(
                f"{len(classes)} folders look like labels; what lies beside says more, so they are not taken as labels"
            )
            labels = None
        asked = "; the caption lies beside it" if found.captions else ""
        asked += f"; it is made from the picture called {found.control}" if found.control else ""
        options = {
            "labels": labels,
            "captions": found.captions,
            "caption_lines": found.lines or None,
            "control": found.control,
            "exclude": [f"*{name}.*" for name in found.aside] or None,
        }
        given = {name: one for name, one in options.items() if one is not None}
        return Claim(f"each of {by_kind[kind]:,} files is an item{asked}", kind, RANK, given, tuple(notes))

    def files(self) -> Iterator[Path]:
        for path in self._wanted():
            yield path
            for side in (self._caption(path), self._control(path)):
                if side is not None:
                    yield side

    def rows(self) -> Iterator[Row]:
        collected = 0
        for path in self._wanted():
            data = self.tree.read(path)
            if data is None:
                continue
            collected += 1
            name, written = self.tree.name(path), modified(path)
            for place, given in enumerate(self._given(path), start=1):
                each = f"{name}:{place}" if self.options.caption_lines else name
                yield Row(each, {"content": data, **given}, written)
        if not collected:
            raise self._nothing()

    def _wanted(self) -> Iterator[Path]:
        self.others = Counter[str]()
        for path in self.tree.paths():
            ending, caption, control = path.suffix.lower(), self.options.captions, self.options.control
            chosen = self.tree.chosen(path)
            if (caption and path.name.lower().endswith(caption.lower())) or (control and beside.fits(path, control)):
                continue
            if chosen or (chosen is None and ending in self.suffixes):
                yield path
            else:
                self.others[ending or "no ending"] += 1

    def _given(self, path: Path) -> Iterator[dict[str, bytes]]:
        """The label, the caption and the control of a file, where there are any: for each item that it is."""
        found: dict[str, bytes] = {}
        parts = path.relative_to(self.tree.root).parts
        if self.options.labels and len(parts) > 1:
            found["label"] = printable(parts[0] if self.options.labels == "subfolder" else parts[-2]).encode()
        control = self._control(path)
        if control is not None and (data := self.tree.read(control)) is not None:
            found["condition"] = data
        side = self._caption(path)
        caption = None if side is None else self.tree.read(side)
        if caption is None:
            yield found
        else:
            for one in beside.lines(caption) if self.options.caption_lines else [caption]:
                yield found | {"caption": one}

    def _caption(self, path: Path) -> Path | None:
        return None if self.options.captions is None else beside.caption_of(path, self.options.captions)

    def _control(self, path: Path) -> Path | None:
        return None if self.options.control is None else beside.control_of(path, self.options.control, self.suffixes)

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
