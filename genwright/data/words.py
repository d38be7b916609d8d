"""The words of the texts that a model learns from, so that a prompt with others can be told."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

from genwright.core.durable import write_json
from genwright.core.errors import DataError

FILE = "words.json"
MOST = 20_000  # different words; whoever learned from more has met nearly every word one can ask for
NAMED = 5  # unknown words
SPACELESS = "\u0e01-\u0e3a\u0e40-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30fa\u3400-\u9fff"
MARKS = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
WORD = re.compile(rf"[{SPACELESS}]|(?:(?![{SPACELESS}])[\w{MARKS}])+")
"""Letters, marks on them and digits in a row; of scripts that put no spaces between words (Thai, Lao, Burmese, Khmer, Chinese,
Japanese) each character."""


class Words:
    """`seen`: the words as they were written; None where there are more than are kept, or nobody kept them."""

    def __init__(self, seen: Iterable[str] | None = ()) -> None:
        self.seen: set[str] | None = None if seen is None else set(seen)

    def passing(self, texts: Iterable[str]) -> Iterator[str]:
        """The same texts, whose words are kept as they go by."""
        for text in texts:
            if self.seen is not None:
                self.seen.update(words(text))
                if len(self.seen) > MOST:
                    self.seen = None
            yield text

    def unknown(self, text: str) -> str:
        """Words of a text that were not among them, each once, and in brackets one that is much like it; of many the first."""
        seen = self.seen
        if seen is None:
            return ""
        strange = [word for word in dict.fromkeys(words(text)) if word not in seen]
        more = f" and {len(strange) - NAMED:,} more" if len(strange) > NAMED else ""
        return ", ".join(word + self._near(word) for word in strange[:NAMED]) + more

    def _near(self, word: str) -> str:
        found = [] if word.isnumeric() else get_close_matches(word.casefold(), self._folded, n=1, cutoff=0.75)
        return f" ({self._folded[found[0]]}?)" if found else ""

    @cached_property
    def _folded(self) -> dict[str, str]:
        """Each word, by itself in small letters."""
        return {word.casefold(): word for word in sorted(self.seen or ())}

    def save(self, folder: Path) -> None:
        if self.seen is not None:
            write_json(folder / FILE, sorted(self.seen))

    @classmethod
    def load(cls, folder: Path) -> Words:
        """Those of a folder. Raises DataError where they cannot be read."""
        try:
            found = json.loads((folder / FILE).read_text())
        except FileNotFoundError:
            return cls(None)
        except (OSError, ValueError) as error:
            raise DataError("Words cannot be read.", got=f"{folder}: {error}", do="clean the data again") from error
        if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
            raise DataError("Words must be a list of texts.", got=folder / FILE, do="clean the data again")
        return cls(found)


def words(text: str) -> list[str]:
    """The words of a text in order; accents are part of their letter however they are written."""
    return WORD.findall(normalize("NFC", text))


def taken_over(of: Path, to: Path) -> None:
    """Put the words of a folder in place of those of another."""
    (to / FILE).unlink(missing_ok=True)
    if (of / FILE).is_file():
        shutil.copy(of / FILE, to / FILE)
