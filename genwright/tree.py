"""The hash of a folder as DVC computes it, from the bytes that are there now."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Tree:
    """MD5 of every file below a folder, by path. `digest` is what DVC 3 calls the folder: MD5 of the sorted listing."""

    files: dict[str, str]

    @property
    def digest(self) -> str:
        listing = [{"md5": self.files[path], "relpath": path} for path in sorted(self.files)]
        return hashlib.md5(json.dumps(listing, sort_keys=True).encode(), usedforsecurity=False).hexdigest() + ".dir"


def md5(path: Path) -> str:
    """Hex MD5 of a file's bytes, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def tree(folder: Path) -> Tree:
    """The tree of a folder's files."""
    return Tree({path.relative_to(folder).as_posix(): md5(path) for path in folder.rglob("*") if path.is_file()})
