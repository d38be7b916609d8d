"""The words that a text column was learned from, so that a prompt with others can be told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from genwright.core.durable import write_json
from genwright.core.errors import DataError

FILE = "words.json"
MOST = 20_000  # different words; whoever learned from more has met nearly every word one can ask for
SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"
WORD = re.compile(rf"[{SPACELESS}]|(?:(?![{SPACELESS}])\w)+")
"""Letters and digits in a row; of scripts that put no spaces between words (Thai, Lao, Burmese, Khmer, Chinese, Japanese) each
character."""


class Words:
    """`seen`: the words as they were written; None where there are more than are kept, or nobody kept them."""

    def __init__(self, seen: Iterable[str] | None = ()) -> None:
        self.seen: set[str] | None = None if seen is None else set(seen)

    def passing(self, texts: Iterable[str]) -> Iterator[str]:
        """The same texts, whose words are kept as they go by."""
        for text in texts:
            if self.seen is not None:
                self.seen.update(WORD.findall(text))
                if len(self.seen) > MOST:
                    self.seen = None
            yield text

    def unknown(self, text: str) -> list[str]:
        """Words of a text that were not among them, each once, and after it in brackets one that is much like it."""
        if self.seen is None:
            return []
        return [word + self._near(word) for word in dict.fromkeys(WORD.findall(text)) if word not in self.seen]

    def _near(self, word: str) -> str:
        assert self.seen is not None
        close = {one.casefold(): one for one in sorted(self.seen)}
        found = get_close_matches(word.casefold(), close, n=1, cutoff=0.75)
        return f" ({close[found[0]]}?)" if found else ""

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
