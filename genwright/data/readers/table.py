"""A row of a table is an item: JSONL, JSON, CSV, TSV, Parquet and Arrow, with pictures by path or as bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.readers import layouts
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.readers.layouts import Fields, Layout, as_bytes
from genwright.data.readers.records import is_table, records
from genwright.data.tree import Tree, modified

LOOKED_AT = 50  # rows by which columns are recognised
RANK = 50
BESIDE = {"dataset_infos.json", "dataset_info.json", "dataset_dict.json", "state.json", "config.json", "package.json"}
"""Files of JSON that tell of data and hold none."""


Names = Annotated[list[str], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)]


class TableOptions(Record):
    """Which columns of items come from which fields of the table; without `content` they are recognised by their names."""

    content: Names = Field(
        default_factory=list, description="field of the table that is made, or fields that are joined: `completion`"
    )
    given: dict[str, Names] = Field(
        default_factory=dict, description="another column of the recipe to the field it comes from: {condition: prompt}"
    )


@readers.register
class Table(Reader):
    """The rows of every table in the tree. A field that names a file beside the table stands for that file."""

    name = "table"
    Options: ClassVar[type[Record]] = TableOptions
    options: TableOptions

    @property
    def _by_path(self) -> frozenset[str]:
        """Endings of files that are content of their own: what texts are called may as well stand in a text."""
        return self.suffixes - modalities.get("text").suffixes - modalities.get("code").suffixes

    @classmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        tables = _tables(tree)
        if not tables:
            return None
        rows = _first(tables[0], tree)
        layout = _layout(rows)
        if layout is None:
            return None
        used = {path.partition(".")[0] for paths in layout.fields.values() for path in paths}
        unused = [name for name in dict.fromkeys(name for row in rows for name in row) if name not in used]
        unused = [name for name in unused if name.lower() not in layouts.LICENCES]
        notes = (f"columns that are not used: {', '.join(map(repr, unused))}",) if unused else ()
        many = tree.name(tables[0]) + (f" and {len(tables) - 1:,} more tables" if tables[1:] else "")
        content, *given = ((column, names[0] if len(names) == 1 else names) for column, names in layout.fields.items())
        options = {"content": content[1], **({"given": dict(given)} if given else {})}
        return Claim(f"{many}: {layout.why}", layout.kind, RANK, options, notes)

    def files(self) -> Iterator[Path]:
        """The tables, and the files that their rows name."""
        tables = _tables(self.tree)
        fields = self._fields(tables[0]) if tables and self._by_path else {}
        for path in tables:
            yield path
            if not fields:
                continue
            for _, row in records(path, self.tree):
                for value in layouts.columns(row, fields).values():
                    if (named := self._named(path, value)) is not None and named.is_file():
                        yield named

    def rows(self) -> Iterator[Row]:
        tables = _tables(self.tree)
        if not tables:
            raise DataError(f"There is no table in {self.tree.at}.", allowed=ENDINGS, do="put one there, or set another `form`")
        fields = self._fields(tables[0])
        count = 0
        for path in tables:
            table, written = self.tree.name(path), modified(path)
            for place, row in records(path, self.tree):
                name = f"{table}:{place}"
                found = self._columns(name, path, layouts.columns(row, fields))
                if found is not None:
                    count += 1
                    yield Row(name, found, written, licence=layouts.licence(row))
        if not count:
            raise self._nothing(tables[0], fields)

    def _columns(self, name: str, path: Path, values: dict[str, Any]) -> dict[str, bytes] | None:
        """The bytes of an item's columns; None where it has no content, which is noted."""
        found: dict[str, bytes] = {}
        content = next(iter(values))
        for column, value in values.items():
            if value is None:
                continue
            named = self._named(path, value)
            data = (self.tree.read(named) if named.is_file() else None) if named is not None else as_bytes(value)
            if data is not None and len(data) <= self.tree.limit:
                found[column] = data
            elif column == content:
                self.tree.skipped[name] = "too large" if named is None else self._missing(value, path)
        if content not in found:
            self.tree.skipped.setdefault(name, "it has no content")
            return None
        return found

    def _missing(self, value: Any, table: Path) -> str:
        """That a picture is not there, and where one of its name is."""
        told = f"there is no file {value!r} beside the table"
        elsewhere = self._everywhere.get(str(value).rpartition("/")[2].lower())
        if elsewhere is None:
            return told
        right = Path(os.path.relpath(elsewhere, table.parent)).as_posix()
        return f"{told}; {right!r} is called so: write that into the table, or move the table"

    @cached_property
    def _everywhere(self) -> dict[str, Path]:
        """The files of the tree by their names in small letters."""
        return {path.name.lower(): path for path in self.tree.paths()}

    def _named(self, path: Path, value: Any) -> Path | None:
        """The file that a value names, where it ends like one of the content's files, or lies there."""
        if not isinstance(value, str) or "." not in value or len(value) > 1024 or "\n" in value:
            return None
        return path.parent / value if "." + value.lower().rpartition(".")[2] in self._by_path else None

    def _fields(self, table: Path) -> Fields:
        """The content's fields first."""
        if self.options.content:
            return {"content": self.options.content, **self.options.given}
        layout = _layout(_first(table, self.tree))
        if layout is None:
            raise self._nothing(table, {})
        return layout.fields

    def _nothing(self, table: Path, fields: Fields) -> DataError:
        names = sorted({name for row in _first(table, self.tree) for name in row})
        asked = ", ".join(name for paths in fields.values() for name in paths) or "a text, a picture or a pair"
        example = next(iter(self.tree.skipped.items()), None)
        told = f"; {len(self.tree.skipped)} left out, e.g. {example[0]}: {example[1]}" if example else ""
        return DataError(
            f"No row of {self.tree.name(table)} has {asked}.",
            got=f"the columns {', '.join(names) or 'none'}{told}",
            do="name the columns, e.g. `form: {kind: table, content: COLUMN}`",
        )


ENDINGS = ".jsonl .json .csv .tsv .parquet .arrow, all but the last two also with .gz"


def _tables(tree: Tree) -> list[Path]:
    tables = (path for path in tree.paths() if is_table(path) and path.name.lower() not in BESIDE)
    return [path for path in tables if tree.chosen(path) is not False]


def _layout(rows: list[dict[str, Any]]) -> Layout | None:
    return layouts.recognised(rows, modalities.get("image").suffixes) if rows else None


def _first(table: Path, tree: Tree) -> list[dict[str, Any]]:
    return [row for _, row in islice(records(table, tree), LOOKED_AT)]
