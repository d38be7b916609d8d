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


class Objects:
    """The files of DVC's cache, named by their MD5; a folder's object is its listing in JSON."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, oid: str) -> Path:
        return self.folder / oid[:2] / oid[2:]

    def sound(self, oid: str) -> bool:
        """Whether an object is there and its bytes have the hash it is named by."""
        path = self.path(oid)
        return path.is_file() and md5(path) == oid.removesuffix(".dir")

    def listing(self, digest: str) -> Tree | None:
        """The tree under a folder's hash; None when it is not there or altered."""
        if not self.sound(digest):
            return None
        return Tree({row["relpath"]: row["md5"] for row in json.loads(self.path(digest).read_text())})

    def parts(self, digest: str) -> list[str]:
        """The objects a folder is made of, its listing first."""
        listing = self.listing(digest)
        return [digest, *sorted(set(listing.files.values()))] if listing else [digest]

    def whole(self, digest: str) -> bool:
        """Whether every byte of a folder is there unaltered."""
        return self.listing(digest) is not None and all(self.sound(oid) for oid in self.parts(digest))
