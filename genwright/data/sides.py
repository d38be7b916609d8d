"""Sides of the split that folders and files are called by, as Hugging Face's builders read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from genwright.data.readers.records import KINDS
from genwright.data.split import LEARN
from genwright.data.tree import Tree

WORDS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
APART = re.compile(r"[-._ 0-9]+")
NAMED = (*KINDS, ".tar", ".tgz", ".gz")
"""Endings of files whose own names may say it; a picture called test.png is a picture of a test."""


@dataclass(frozen=True)
class Sides:
    """The sides that names in a tree speak of. They count where there are items to learn from and others held out."""

    there: frozenset[str]

    @classmethod
    def of_tree(cls, tree: Tree) -> Sides:
        return cls(frozenset(side for path in tree.paths() if (side := _named(tree.relative(path)))))

    @property
    def given(self) -> bool:
        """Whether they say what is held out."""
        return "train" in self.there and len(self.there) > 1

    def of(self, name: str) -> str:
        """The side of an item by its name, "" where nothing is said. What is held out once is to test on; what there is
        then to choose by comes out of the rest."""
        side = _named(name)
        if not side or not self.given or len(self.there) == 3:
            return side if self.given else ""
        return LEARN if side == "train" else "test"


def _named(name: str) -> str:
    parts = PurePosixPath(name.partition(":")[0].lower()).parts
    words = [word for part in parts for word in (APART.split(part) if part.endswith(NAMED) else [part])]
    return next((WORDS[word] for word in words if word in WORDS), "")
