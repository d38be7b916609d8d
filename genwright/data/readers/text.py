"""One big text, or a few: cut into items at blank lines or line ends, and held out in contiguous blocks.

Items beside each other share names, scenes and quotations. So a block of them goes to one side of the split; of lines that are
held out at random half would be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.tree import Tree, modified

RANK = 30
FEW, LARGE = 10, 64 * 1024  # files at most, and bytes that they have on average, to be taken for big texts
SAMPLE = 256 * 1024  # bytes in which paragraphs are looked for
LONGEST = 16  # times its size that an item may have, where a text has no place to cut it


class TextOptions(Record):
    """How a text is cut."""

    at: Literal["paragraphs", "lines"] = Field("paragraphs", description="where: at blank lines, or at any line's end")
    bytes: int = Field(1024, ge=16, description="an item ends at the first such place after so many bytes")
    block: int = Field(8, ge=1, description="items beside each other that lie on one side of the split")


@readers.register
class TextReader(Reader):
    """The pieces of every text, in order."""

    name = "text"
    Options: ClassVar[type[Record]] = TextOptions
    options: TextOptions

    @classmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        endings = modalities.get("text").suffixes
        texts = [path for path in tree.paths() if path.suffix.lower() in endings and tree.refused(path, whole=False) is None]
        size = sum(path.stat().st_size for path in texts)
        if not texts or len(texts) > FEW or size < LARGE * len(texts):
            return None
        with texts[0].open("rb") as file:
            sample = file.read(SAMPLE).replace(b"\r\n", b"\n")
        apart = sample.count(b"\n\n") * TextOptions().bytes * 2 > len(sample)
        at, words = ("paragraphs", "blank lines") if apart else ("lines", "line ends")
        many = "1 big text is" if len(texts) == 1 else f"{len(texts)} big texts are"
        return Claim(
            f"{many} cut at {words} into items, held out in contiguous blocks", "text", RANK, {} if apart else {"at": at}
        )

    def files(self) -> Iterator[Path]:
        for path in self.tree.paths():
            chosen = self.tree.chosen(path)
            if chosen or (chosen is None and path.suffix.lower() in self.suffixes):
                yield path

    def rows(self) -> Iterator[Row]:
        count = 0
        for path in self.files():
            if not self.tree.usable(path, whole=False):
                continue
            name, written = self.tree.name(path), modified(path)
            for place, piece in enumerate(self._pieces(path)):
                count += 1
                yield Row(f"{name}:{place:06d}", {"content": piece}, written, f"{name} block {place // self.options.block}")
        if not count:
            raise DataError(
                f"There is no text in {self.tree.at}.",
                allowed=" ".join(sorted(self.suffixes)),
                do="put one there, or correct `include` and `form`",
            )

    def _pieces(self, path: Path) -> Iterator[bytes]:
        """Pieces of a text, each from one place where it may be cut to another; blank ones go."""
        held: list[bytes] = []
        size = 0
        for line in _lines(path, self.options.bytes * LONGEST):
            blank = not line.strip()
            if size >= self.options.bytes and (blank or self.options.at == "lines" or size >= LONGEST * self.options.bytes):
                yield b"".join(held)
                held, size = [], 0
            if held or not blank:
                held.append(line)
                size += len(line)
        if held:
            yield b"".join(held)


def _lines(path: Path, most: int) -> Iterator[bytes]:
    """Lines in UTF-8, longer ones in parts; of a text that says so by its byte order mark decoded first."""
    with path.open("rb") as file:
        mark = file.read(4)
    wide = next((name for start, name in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")) if mark.startswith(start)), None)
    if wide is not None:
        with path.open(encoding=wide, errors="replace", newline="") as text:
            while part := text.readline(most):
                yield part.encode()
        return
    with path.open("rb") as file:
        file.seek(3 if mark.startswith(b"\xef\xbb\xbf") else 0)
        while line := file.readline(most):
            yield line
