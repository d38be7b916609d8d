"""Rows of a query: of an SQLite file, or of PostgreSQL at an address that stands in the environment. Nothing is written."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import Field, model_validator

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.item import Item
from genwright.data.readers.layouts import as_bytes
from genwright.data.sources.base import Source, sources
from genwright.data.tree import modified, utc

AT_ONCE = 256  # rows fetched
READING = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
"""All that a query may do; an ATTACH, say, would make a file."""


class SqlOptions(Record):
    database: str | None = Field(None, description="an SQLite file, absolute or relative to the workspace")
    variable: str | None = Field(
        None, pattern=r"^[A-Z][A-Z0-9_]*$", description="environment variable with the address of a PostgreSQL database"
    )
    query: str = Field(description="a SELECT; give it an ORDER BY, so that it gives rows in the same order")
    content: str = Field(description="the column that is made")
    given: dict[str, str] = Field(default_factory=dict, description="another column of the recipe to the one it comes from")
    key: str | None = Field(None, description="the column that names a row; default: its place")
    licence: str = "unknown"
    item_mib: float = Field(64.0, gt=0, le=1024, description="larger items are skipped and reported")

    @model_validator(mode="after")
    def _one(self) -> SqlOptions:
        if (self.database is None) == (self.variable is None):
            raise ValueError("give either `database` or `variable`")
        return self


@sources.register
class Sql(Source):
    """Every row is an item. The state is a digest of all that the query gives."""

    name = "sql"
    Options: ClassVar[type[Record]] = SqlOptions
    options: SqlOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        self._skipped: dict[str, str] = {}

    @property
    def skipped(self) -> dict[str, str]:
        return self._skipped

    def state(self) -> str:
        state = hashlib.sha256()
        for item in self.items():
            state.update(" ".join([item.name, *item.digests.values(), "\n"]).encode())
        return state.hexdigest()

    def items(self) -> Iterator[Item]:
        self._skipped.clear()
        options, count = self.options, 0
        columns = {"content": options.content, **options.given}
        where = options.database or f"${options.variable}"
        for place, row in enumerate(self._rows(), start=1):
            missing = [name for name in (*columns.values(), *([options.key] if options.key else [])) if name not in row]
            if missing:
                got, do = f"the columns {', '.join(row)}", "name columns of the query in `content`, `given` and `key`"
                raise DataError(f"The query gives no column {missing[0]!r}.", got=got, do=do)
            name = f"row {row[options.key]}" if options.key else f"row {place}"
            found = {column: as_bytes(row[of]) for column, of in columns.items() if row[of] is not None and row[of] != ""}
            if "content" not in found or len(found["content"]) > options.item_mib * 2**20:
                self._skipped[name] = "it has no content" if "content" not in found else "larger than `item_mib`"
                continue
            count += 1
            yield Item(name, found, f"sql:{where}", options.licence, self._written)
        if not count:
            raise DataError(f"The query gives no row with {options.content!r}.", got=options.query, do="correct `query`")

    @property
    def _written(self) -> str:
        """When the database was written to, where that can be seen."""
        return utc(0) if self.options.database is None else modified(self.base / Path(self.options.database).expanduser())

    def _rows(self) -> Iterator[dict[str, Any]]:
        connect = self._sqlite if self.options.database is not None else self._postgresql
        with connect() as cursor:
            if cursor.description is None:
                raise DataError("The query gives no rows.", got=self.options.query, do="correct `query`: one SELECT")
            names = [column[0] for column in cursor.description]
            while rows := cursor.fetchmany(AT_ONCE):
                yield from (dict(zip(names, row, strict=True)) for row in rows)

    @contextmanager
    def _sqlite(self) -> Iterator[Any]:
        assert self.options.database is not None
        path = self.base / Path(self.options.database).expanduser()
        if not path.is_file():
            raise DataError(f"There is no database at {path}.", do="correct `database` in the recipe")
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
                database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in READING else sqlite3.SQLITE_DENY)
                yield database.execute(self.options.query)
        except sqlite3.Error as error:
            raise DataError(f"{path} does not answer the query.", got=error, do="correct `query`: one SELECT") from error

    @contextmanager
    def _postgresql(self) -> Iterator[Any]:
        variable = str(self.options.variable)
        address = os.environ.get(variable)
        if not address:
            raise DataError(f"The variable {variable} is not set.", do=f"export {variable}=postgresql://...")
        try:
            import psycopg
        except ImportError as error:
            raise DataError("PostgreSQL needs a package more.", got=error, do='pip install "psycopg[binary]"') from error
        try:
            with psycopg.connect(address, connect_timeout=20) as database:
                database.read_only = True
                with database.cursor(name="genwright") as cursor:
                    cursor.execute(self.options.query.encode())
                    yield cursor
        except psycopg.Error as error:
            told = str(error).replace(address, f"${variable}")
            raise DataError(
                f"The database of ${variable} does not answer the query.", got=told, do="correct `query`"
            ) from error
