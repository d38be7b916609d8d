"""Items from files on this machine, in whatever form they lie there, with their licence and where they come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from genwright.core.parts import part_of, told_by
from genwright.core.record import Part
from genwright.data.item import Item
from genwright.data.readers.base import Reader, readers
from genwright.data.readers.files import FilesOptions, FilesReader
from genwright.data.sides import Sides
from genwright.data.tree import Tree


class FileOptions(FilesOptions):
    """Which files become items, and how. Names that begin with a dot are never collected."""

    form: Annotated[Part, part_of(readers), told_by(readers)] = Field(
        Part(kind="files"), description="how items lie in the files: `files` (a file is an item), `table`, `text`, ..."
    )
    include: list[str] | None = Field(None, description="globs as in .gitignore; default: every file that the form reads")
    exclude: list[str] = Field(default_factory=list, description="globs of files and folders to leave out")
    recursive: bool = True
    splits: bool = Field(
        False, description="whether folders and tables called train, validation and test say on which side their items are"
    )
    licence: str = Field("unknown", description="of the items that do not come with one of their own")
    item_mib: float = Field(64.0, gt=0, le=1024, description="larger items are skipped and reported")

    @model_validator(mode="after")
    def _of_files(self) -> FileOptions:
        set_here = [name for name in FilesOptions.model_fields if getattr(self, name)]
        if self.form.kind != FilesReader.name and set_here:
            raise ValueError(f"`{set_here[0]}` is of files that are items; the form `{self.form.kind}` has its own options")
        return self


class Files:
    """The items of one folder, or file, in a stable order. `source` says where they come from."""

    def __init__(self, root: Path, options: FileOptions, suffixes: frozenset[str], source: str) -> None:
        self.options, self.suffixes, self.source = options, suffixes, source
        self.tree = Tree(
            root,
            include=options.include,
            exclude=options.exclude,
            recursive=options.recursive,
            limit=int(options.item_mib * 2**20),
        )

    @cached_property
    def reader(self) -> Reader:
        kind, form = readers.get(self.options.form.kind), dict(self.options.form.options)
        if kind is FilesReader:
            form = {name: getattr(self.options, name) for name in FilesOptions.model_fields}
        return kind(kind.Options.model_validate(form), self.tree, self.suffixes)

    def items(self) -> Iterator[Item]:
        """The items, streamed. Raises DataError when there is nothing, or nothing that can be read."""
        self.tree.skipped.clear()
        for row in self.reader.rows():
            side = self._sides.of(row.name) if self.options.splits else ""
            licence = row.licence or self.options.licence
            yield Item(row.name, row.columns, self.source, licence, row.written, row.group, side)

    @cached_property
    def _sides(self) -> Sides:
        return Sides.of_tree(self.tree)

    def state(self) -> str:
        """SHA-256 over name and bytes of every file that bears on the items. Raises DataError as `items` does."""
        state, count = hashlib.sha256(), 0
        for path in self.reader.files():
            count += 1
            digest = self.tree.digest(path) if self.tree.refused(path, whole=False) is None else "-"
            state.update(f"{self.tree.name(path)}\0{digest}\n".encode())
        if not count:
            next(self.items())  # says why
        return state.hexdigest()

    @property
    def skipped(self) -> dict[str, str]:
        return self.tree.skipped
