"""Verses of SWORD modules: a text, or pairs of a text and its translation."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field

from genwright.core.errors import DataError, nearest
from genwright.core.record import Record
from genwright.data.fetch.packages import Manager, PackageChoice, fetch
from genwright.data.files import FileOptions, Files
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources
from genwright.data.tree import utc

_APART = re.compile(
    r"<(note|speaker|figure)\b[^>]*(?<!/)>.*?</\1>"  # footnotes and stage directions, with what they say
    r'|<title\b(?![^>]*canonical="true")[^>]*(?<!/)>.*?</title>',  # headings of the edition; those of the text stay
    re.DOTALL | re.IGNORECASE,
)
_END_OF_BOOK = re.compile(r'<div\b(?=[^>]*\beID=)(?=[^>]*\btype="book")[^>]*>.*', re.DOTALL)  # what follows is an appendix


class Work(PackageChoice):
    """A module in a package; `module` may be omitted where the package has one."""

    manager: Manager = "apt"
    module: str | None = None


class SwordOptions(Record):
    content: Work
    condition: Work | None = None
    exclude: list[str] = Field(
        default_factory=list, description="globs of verse names, e.g. `Jonah.2.*` where two works number verses differently"
    )


@sources.register
class Sword(Source):
    """Verses of one work and, as their condition, the verses of the same number in another. Items are called like
    `Gen.1.1`; a verse that is empty or missing in either work is left out, and markup (OSIS) is stripped.

    Its state is the versions of the packages and a digest of the modules.
    """

    name = "sword"
    Options: ClassVar[type[Record]] = SwordOptions
    options: SwordOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        self._skipped: dict[str, str] = {}

    @property
    def skipped(self) -> dict[str, str]:
        return self._skipped

    def state(self) -> str:
        return " ".join(module.state() for module in self._modules())

    def items(self) -> Iterator[Item]:
        self._skipped.clear()
        content, *condition = self._modules()
        given = dict(condition[0].verses()) if condition else {}
        for name, text in content.verses():
            if any(fnmatchcase(name, glob) for glob in self.options.exclude):
                self._skipped[name] = "excluded by the recipe"
            elif not text or (condition and not given.get(name)):
                self._skipped[name] = "empty or missing in one of the works"
            else:
                yield Item(
                    name=name,
                    columns={"content": text.encode()} | ({"condition": given[name].encode()} if condition else {}),
                    source="sword:" + "+".join(module.name for module in (content, *condition)),
                    licence=" + ".join(dict.fromkeys(module.licence for module in (content, *condition))),
                    collected_at=content.released,
                )

    def _modules(self) -> list[_Module]:
        works = [self.options.content, *([self.options.condition] if self.options.condition else [])]
        return [_Module(work, self.cache) for work in works]


class _Module:
    """One SWORD module of an unpacked package."""

    def __init__(self, work: Work, cache: Path) -> None:
        from pysword.modules import SwordModules

        self._fetched, folder = fetch(work, cache)
        library = next((path.parent for path in sorted(folder.rglob("mods.d"))), None)
        if library is None:
            raise DataError(f"{work.title} holds no SWORD module.", got="no folder mods.d in it", do="name another package")
        self._library, self._modules = library, SwordModules(str(library))
        there: dict[str, Any] = self._modules.parse_modules()
        if work.module is None and len(there) == 1:
            self.name = next(iter(there))
        elif work.module in there:
            self.name = work.module
        else:
            raise DataError(
                f"{work.title} has no module {work.module!r}{nearest(work.module or '', there)}.", allowed=", ".join(there)
            )
        about = there[self.name]
        data = (library / about["datapath"]).resolve()
        if not data.is_relative_to(library.resolve()):
            raise DataError(f"The module {self.name} points out of its package.", got=about["datapath"])
        self.licence = str(about.get("distributionlicense", "unknown"))
        self.released = utc(max((path.stat().st_mtime for path in data.iterdir()), default=0.0))

    def state(self) -> str:
        every = FileOptions(include=["*"], item_mib=1024)
        return f"{self.name}:{self._fetched.version}:{Files(self._library, every, frozenset(), self.name).state()}"

    def verses(self) -> Iterator[tuple[str, str]]:
        """Name and plain text of every verse, in the order of the work."""
        bible = self._modules.get_bible_from_module(self.name)
        if hasattr(bible, "_decompressed_text"):  # pysword decompresses a whole book for each of its verses
            bible._decompressed_text = lru_cache(maxsize=1)(bible._decompressed_text)
        for books in bible.get_structure().get_books().values():
            for book in books:
                for chapter in range(1, book.num_chapters + 1):
                    marked = bible.get_iter(books=book.name, chapters=chapter, clean=False)
                    for verse, text in enumerate(marked, start=1):
                        yield f"{book.osis_name}.{chapter}.{verse}", plain(text)


def plain(marked: str) -> str:
    """The words of a verse: tags, notes, editors' headings and appendices gone, spaces single."""
    text = re.sub(r"<[^>]*>", "", _APART.sub("\0", _END_OF_BOOK.sub("", marked)))
    text = re.sub(r"(?<=[^\s\0])\0+(?=\w)", " ", text).replace("\0", "")
    return " ".join(html.unescape(text).split())
