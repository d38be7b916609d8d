"""The embedded database of MLflow: made whole or not at all, brought up to the schema of the MLflow that is installed, and at
home in the workspace it lies in.

MLflow writes down absolute addresses of files. In a workspace that was moved or copied these name the place it was copied
from, so that what is logged would be written there and what is removed would go from there: they are put right first.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow import MlflowClient
from mlflow.store.db.utils import _get_latest_schema_revision, _upgrade_db
from sqlalchemy import create_engine

from genwright.core import sqlite
from genwright.core.durable import sync
from genwright.core.errors import ServiceError

ADDRESSES = {
    "experiments": ("artifact_location",),
    "runs": ("artifact_uri",),
    "logged_models": ("artifact_location",),
    "model_versions": ("source", "storage_location"),
}
"""Columns that hold addresses of files, by table."""


def create(database: Path) -> None:
    """A database, there at once with all its tables: MLflow makes them one by one, and does not go on from a half that a
    killed process has left."""
    database.parent.mkdir(parents=True, exist_ok=True)
    making = database.with_name("mlflow-new.db")
    for left in making.parent.glob(f"{making.name}*"):  # with SQLite's own files beside it
        left.unlink()
    MlflowClient(tracking_uri=f"sqlite:///{making}").search_experiments(max_results=1)
    making.rename(database)


def settle(database: Path, artifacts: Path) -> None:
    """Make a database usable where it lies: of today's schema, a copy of it kept where that had to be changed, and with
    addresses of files in `artifacts` of this workspace. Raises ServiceError, naming the way out."""
    fault = examine(database)
    if fault is not None:
        raise unusable(database, fault)
    if revision(database) != newest():
        _migrate(database)
    _bring_home(database, artifacts)


def examine(database: Path, *, whole: bool = False) -> str | None:
    """None, or why a database cannot be used as it is; `whole` also holds its indices against its tables."""
    if (fault := sqlite.damage(database, whole=whole)) is not None:
        return fault
    try:
        with closing(sqlite.opened(database)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if missing := {"alembic_version", *ADDRESSES} - tables:
                return "empty" if not tables else f"without the tables {', '.join(sorted(missing))}"
            connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        return None if "locked" in str(error) else str(error)
    except sqlite3.DatabaseError as error:
        return f"damaged: {error}"
    return None


def unusable(database: Path, fault: str) -> ServiceError:
    """The error for a database that nothing can be done with."""
    copies = ", ".join(sorted(path.name for path in database.parent.glob(f"{database.stem}-*.bak")))
    put_back = f"put a copy of it back ({copies} lie beside it)" if copies else "put a copy of it back"
    return ServiceError(
        "MLflow's database in this workspace cannot be used.",
        got=f"{database}: {fault}",
        do=f"{put_back}; or move the whole of {database.parent} aside, and recipes are run anew",
    )


@cache
def newest() -> str:
    """The schema of the MLflow that is installed."""
    return str(_get_latest_schema_revision())  # type: ignore[no-untyped-call]


def revision(database: Path) -> str:
    """The schema of a database."""
    with closing(sqlite.opened(database)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _migrate(database: Path) -> None:
    """Bring a database to today's schema, after a copy of it was made. A migration that fails leaves it as it was."""
    before = revision(database)
    copy = database.with_name(f"{database.stem}-{before}.bak")
    with closing(sqlite.opened(database)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    sync(copy)
    engine = create_engine(f"sqlite:///{database}")
    try:
        _upgrade_db(engine)  # type: ignore[no-untyped-call]
    except Exception as error:  # migrations raise whatever the database or MLflow raises
        engine.dispose()
        shutil.copyfile(copy, database)
        if _of_today(database):  # only its mark was old
            with closing(sqlite3.connect(database)) as connection, connection:
                connection.execute("UPDATE alembic_version SET version_num = ?", (newest(),))
            return
        raise ServiceError(
            "MLflow's database is of another schema, and could not be brought to that of the MLflow installed here.",
            got=f"{database}: schema {before}, wanted {newest()}; {told(error)}",
            do=f"install the MLflow that wrote it, or put an older copy back; {copy.name} is as it was found",
        ) from error
    finally:
        engine.dispose()


def _of_today(database: Path) -> bool:
    """Whether all tables and columns are there that a new database has."""
    with TemporaryDirectory() as place:
        fresh = Path(place) / "fresh.db"
        create(fresh)
        wanted = _schema(fresh)
    there = _schema(database)
    return all(table in there and columns <= there[table] for table, columns in wanted.items())


def _schema(database: Path) -> dict[str, set[str]]:
    """Tables to the names of their columns."""
    with closing(sqlite.opened(database)) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: {row[1] for row in connection.execute(f'PRAGMA table_info("{name}")')} for name in tables}


def told(error: BaseException) -> str:
    """What a database said, without the statement that it said it of."""
    said = str(getattr(error, "orig", None) or error)
    return said.splitlines()[0] if said else type(error).__name__


def strays(database: Path, artifacts: Path) -> list[str]:
    """Addresses in a folder of files of another workspace: this one was moved, or copied from there."""
    home, found = artifacts.as_uri() + "/", set[str]()
    with closing(sqlite.opened(database)) as connection:
        for table, column in _columns():
            asked = f'SELECT DISTINCT "{column}" FROM "{table}" WHERE "{column}" LIKE ?'
            found |= {address for (address,) in connection.execute(asked, (f"file:%{_mark(artifacts)}%",))}
    return sorted(address for address in found if not address.startswith(home))


def _bring_home(database: Path, artifacts: Path) -> None:
    """Let strays name this workspace. What lies anywhere else stays as it is."""
    astray = strays(database, artifacts)
    if not astray:
        return
    with closing(sqlite3.connect(database, timeout=60)) as connection, connection:
        for address in astray:
            moved = f"{artifacts.as_uri()}/{address.partition(_mark(artifacts))[2]}"
            for table, column in _columns():
                connection.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE "{column}" = ?', (moved, address))


def _mark(artifacts: Path) -> str:
    return f"/{artifacts.parent.name}/{artifacts.name}/"


def _columns() -> Iterator[tuple[str, str]]:
    return ((table, column) for table, columns in ADDRESSES.items() for column in columns)
