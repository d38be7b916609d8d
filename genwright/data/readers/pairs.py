"""Pairs in two places: line by line in texts called alike (`train.en`, `train.de`), or file by file in two folders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from glob import escape
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.readers import naming
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.tree import Tree, modified

RANK = 40
ALIKE = 0.9  # share of the names that two folders have in common
MOST = 200_000  # lines that are counted to see whether two files go together


class PairsOptions(Record):
    """Which is made, and from which."""

    by: Literal["lines", "files"] = Field("lines", description="lines of files called alike, or files of two folders")
    content: str = Field(description="ending of the files, or name of the folder, with what is made: `de`")
    condition: str = Field(description="the same of what it is made from: `en`")


@readers.register
class Pairs(Reader):
    """The n-th line with the n-th line, or the file with the file of its name."""

    name = "pairs"
    Options: ClassVar[type[Record]] = PairsOptions
    options: PairsOptions

    @classmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        return _lines_claim(tree) or _folders_claim(tree)

    def files(self) -> Iterator[Path]:
        for pair in self._pairs():
            yield from pair

    def rows(self) -> Iterator[Row]:
        count = 0
        for content, condition in self._pairs():
            for row in self._of_lines(content, condition) if self.options.by == "lines" else self._of_files(content, condition):
                count += 1
                yield row
        if not count:
            what = "files called alike that end in" if self.options.by == "lines" else "folders with files called alike, called"
            raise DataError(
                f"There are no pairs in {self.tree.at}.",
                allowed=f"{what} {self.options.content!r} and {self.options.condition!r}",
                do="correct `content` and `condition` of the form",
            )

    def _pairs(self) -> Iterator[tuple[Path, Path]]:
        """The files that go together: what is made, and what it is made from."""
        for path in self.tree.paths():
            if self.options.by == "lines":
                other = path.with_suffix(f".{self.options.condition}")
                wanted = path.suffix == f".{self.options.content}"
            else:
                inner = path.relative_to(self.tree.root).parts
                wanted = len(inner) > 1 and inner[0] == self.options.content
                other = self.tree.root.joinpath(self.options.condition, *inner[1:]) if wanted else path
                other = next((p for p in other.parent.glob(f"{escape(other.stem)}.*")), other) if wanted else path
            if wanted and other.is_file():
                yield path, other
            elif wanted:
                self.tree.skipped[self.tree.name(path)] = f"there is no {other.name} to pair it with"

    def _of_lines(self, content: Path, condition: Path) -> Iterator[Row]:
        name, written = self.tree.name(content), modified(content)
        if not (self.tree.usable(content, whole=False) and self.tree.usable(condition, whole=False)):
            return
        with content.open("rb") as made, condition.open("rb") as asked:
            for place, (answer, question) in enumerate(zip_longest(made, asked), start=1):
                if answer is None or question is None:
                    raise DataError(
                        f"{name} and {self.tree.name(condition)} do not have as many lines.",
                        got=f"the shorter one ends after {place - 1:,}",
                        do="mend the files: lines that do not go together teach nothing",
                    )
                if answer.strip() and question.strip():
                    yield Row(f"{name}:{place}", {"content": _line(answer), "condition": _line(question)}, written)
                else:
                    self.tree.skipped[f"{name}:{place}"] = "an empty line"

    def _of_files(self, content: Path, condition: Path) -> Iterator[Row]:
        made, asked = self.tree.read(content), self.tree.read(condition)
        if made is not None and asked is not None:
            yield Row(self.tree.name(content), {"content": made, "condition": asked}, modified(content))


def _line(line: bytes) -> bytes:
    return line.removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n")


def _lines_claim(tree: Tree) -> Claim | None:
    """Two endings that every stem has, with as many lines."""
    stems: dict[str, list[Path]] = defaultdict(list)
    for path in tree.paths():
        stems[tree.relative(path.with_suffix(""))].append(path)
    endings = {tuple(sorted(path.suffix[1:] for path in paths)) for paths in stems.values()}
    both = next(iter(endings)) if len(endings) == 1 else ()
    if len(both) != 2 or not all(2 <= len(ending) <= 8 and ending.isalnum() for ending in both):
        return None
    counts = [tuple(_count(path) for path in sorted(paths)) for paths in stems.values()]
    if any(len(set(pair)) != 1 or not pair[0] for pair in counts):
        return None
    first, second = sorted(both, key=_late)
    why = f"files ending in .{first} and .{second} have as many lines; a line of the second is made from that of the first"
    return Claim(why, "text", RANK, {"content": second, "condition": first})


def _folders_claim(tree: Tree) -> Claim | None:
    """Two folders of texts, or of pictures, with the same names."""
    folders: dict[str, set[str]] = defaultdict(set)
    endings: set[str] = set()
    for path in tree.paths():
        parts = path.relative_to(tree.root).parts
        if len(parts) < 2:
            return None
        endings.add(path.suffix.lower())
        folders[parts[0]].add("/".join(parts[1:]).rpartition(".")[0])
    kind = next((name for name in ("text", "image") if endings <= modalities.get(name).suffixes), None)
    if len(folders) != 2 or kind is None:
        return None
    first, second = sorted(folders, key=_late)
    both, named = folders[first] & folders[second], any(_late(name)[0] for name in folders)
    if len(both) < ALIKE * max(map(len, folders.values())) or (kind == "image" and not named):
        return None  # two kinds of pictures, say, numbered alike
    why = f"the folders {first!r} and {second!r} hold {kind}s of the same names; the second are made from the first"
    return Claim(why, kind, RANK, {"by": "files", "content": second, "condition": first})


def _late(name: str) -> tuple[int, str]:
    return naming.place(name), name


def _count(path: Path) -> int:
    """Lines of a text, up to MOST; -1 for what is none."""
    with path.open("rb") as file:
        if b"\0" in file.read(4096):
            return -1
        file.seek(0)
        return sum(1 for place, _ in enumerate(file) if place < MOST)
