"""Rows of tables, streamed from files of every common kind."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain, product
from pathlib import Path
from typing import Any, BinaryIO, Literal

from genwright.core.errors import DataError
from genwright.data.tree import Tree

Record = dict[str, Any]
WHOLE = 2**28  # bytes of a file of one JSON list, which has to be read at once
SNIFFED = 2**16  # characters of a CSV file by which its separator is told
Quoting = Literal[0, 3]
QUOTING: tuple[Quoting, ...] = (csv.QUOTE_MINIMAL, csv.QUOTE_NONE)
SEPARATORS = "\t|;,"  # of a CSV file, those first that are rare in texts
NEVER = "\x1f"  # separates the values of a table that has one column
LONGEST_NAME = 40  # characters that a column may be called by
csv.field_size_limit(2**31 - 1)  # what is too large is refused by the size of items


def ending(path: Path) -> str:
    """What a table's name ends in, without `.gz`, in small letters."""
    name = path.name.lower().removesuffix(".gz")
    return name[name.rfind(".") :] if "." in name else ""


def is_table(path: Path) -> bool:
    """Whether a file's name is that of a table."""
    compressed = path.name.lower().endswith(".gz")
    return ending(path) in KINDS and not (compressed and ending(path) in (".parquet", ".arrow"))


def records(path: Path, tree: Tree) -> Iterator[tuple[int, Record]]:
    """The rows of a table, each with its place in the file, from 1. Lines that are no rows are noted in `tree.skipped`.
    Raises DataError where the file is no table."""
    return KINDS[ending(path)](path, tree)


def _opened(path: Path) -> BinaryIO:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")  # type: ignore[return-value]


def _lines(path: Path, tree: Tree) -> Iterator[tuple[int, Record]]:
    """A JSON object a line."""
    with _opened(path) as file:
        place = 0
        while line := file.readline(tree.limit + 1):
            place += 1
            if place == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if len(line) > tree.limit:
                while line and not line.endswith(b"\n"):
                    line = file.readline(tree.limit)
                tree.skipped[f"{tree.name(path)}:{place}"] = f"longer than {tree.limit / 2**20:g} MiB (`item_mib`)"
                continue
            if not line.strip():
                continue
            try:
                found = json.loads(line)
            except (ValueError, RecursionError) as error:
                tree.skipped[f"{tree.name(path)}:{place}"] = f"no JSON: {error}"
                continue
            if isinstance(found, dict):
                yield place, found
            else:
                tree.skipped[f"{tree.name(path)}:{place}"] = f"no JSON object: {type(found).__name__}"


def _list(path: Path, tree: Tree) -> Iterator[tuple[int, Record]]:
    """A JSON list of objects, or an object whose only list that is; files of one object a line are often called so too."""
    if path.stat().st_size > WHOLE:
        raise DataError(
            f"{path} is one JSON document of {path.stat().st_size / 2**20:,.0f} MiB.", do="write an object a line (JSONL)"
        )
    with _opened(path) as file:
        text = file.read(WHOLE * 8)
    try:
        found = json.loads(text.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError):
        yield from _lines(path, tree)
        return
    if isinstance(found, dict):
        found = _annotated(found) or _numbered(found) or _only_list(found) or _named(found)
    if not isinstance(found, list):
        raise DataError(f"{path} holds no list of objects.", got=type(found).__name__, do="write a list, or an object a line")
    for place, one in enumerate(found, start=1):
        if isinstance(one, dict):
            yield place, one


def _only_list(found: Record) -> list[Record] | None:
    lists = [one for one in found.values() if isinstance(one, list) and one and isinstance(one[0], dict)]
    return lists[0] if len(lists) == 1 else None


def _annotated(found: Record) -> list[Record] | None:
    """Captions as COCO has them: pictures with a number, and texts that name it."""
    try:
        names = {one["id"]: one["file_name"] for one in found["images"]}
        return [{"file_name": names[one["image_id"]], "caption": one["caption"]} for one in found["annotations"]]
    except (LookupError, TypeError):
        return None


def _numbered(found: Record) -> list[Record] | None:
    """Labels as StyleGAN has them: `{labels: [[file, number], ...]}`."""
    try:
        return [{"file_name": str(name), "label": int(label)} for name, label in found["labels"]]
    except (LookupError, TypeError, ValueError):
        return None


def _named(found: Record) -> list[Record] | None:
    """Captions by file name, `{path: caption}` or `{path: {caption: ...}}`, as rows."""
    if not found or not all(isinstance(one, (str, dict)) for one in found.values()):
        return None
    return [{"file_name": name, **(one if isinstance(one, dict) else {"text": one})} for name, one in found.items()]


def _separated(path: Path, tree: Tree) -> Iterator[tuple[int, Record]]:
    """Values with a separator between them, their names in the first line; without names they are called by their place."""
    with _opened(path) as raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
        try:
            separator, quoting = _dialect(file.read(SNIFFED), SEPARATORS if ending(path) == ".csv" else "\t")
            file.seek(0)
            rows = csv.reader(file, delimiter=separator, quoting=quoting)
            first = next(rows, [])
            named = _names(first)
            names = [value.strip() for value in first] if named else [f"column {n}" for n, _ in enumerate(first, start=1)]
            for place, row in enumerate(rows if named else chain([first], rows), start=1):
                if len(row) > len(names):
                    tree.skipped[f"{tree.name(path)}:{place}"] = f"{len(row)} values for {len(names)} columns"
                elif row:
                    yield place, dict(zip(names, row, strict=False))
        except UnicodeDecodeError as error:
            got = f"{error.reason} at byte {error.start:,}"
            raise DataError(f"{path} is not UTF-8.", got=got, do="save the table as UTF-8") from error
        except csv.Error as error:
            raise DataError(f"{path} is no table.", got=error, do="mend that line") from error


def _dialect(head: str, separators: str) -> tuple[str, Quoting]:
    """What separates values, and whether quotation marks are around them: as most lines have as many values as the first."""
    whole = head[: head.rfind("\n") + 1] or head
    found: dict[tuple[str, Quoting], float] = {}
    for separator, quoting in product(separators, QUOTING):
        with suppress(csv.Error):
            rows = list(csv.reader(io.StringIO(whole), delimiter=separator, quoting=quoting))
            if rows and len(rows[0]) > 1:
                found[separator, quoting] = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
    if not found:
        return NEVER, csv.QUOTE_MINIMAL
    (separator, quoting), share = max(found.items(), key=lambda one: one[1])
    around = re.compile(rf'(^|{re.escape(separator)})"[^"\n]*"({re.escape(separator)}|\r?$)', re.MULTILINE)
    if share == found.get((separator, csv.QUOTE_NONE)) and not around.search(whole):
        quoting = csv.QUOTE_NONE  # the marks belong to the texts
    return separator, quoting


def _names(first: list[str]) -> bool:
    """Whether the values of a first line are names of columns, and not texts."""
    return all(len(value) <= LONGEST_NAME and not value.rstrip().endswith((".", "?", "!")) for value in first)


def _parquet(path: Path, tree: Tree) -> Iterator[tuple[int, Record]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            place = 0
            for batch in file.iter_batches(batch_size=64):
                for row in batch.to_pylist():
                    place += 1
                    yield place, row
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Parquet file.", got=error, do="fetch or write it again") from error


def _arrow(path: Path, tree: Tree) -> Iterator[tuple[int, Record]]:
    """A stream or a file of Arrow's, as Hugging Face's `save_to_disk` leaves them."""
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as file:
            place = 0
            for batch in _batches(file):
                for start in range(0, batch.num_rows, 64):
                    for row in batch.slice(start, 64).to_pylist():
                        place += 1
                        yield place, row
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path} is no Arrow file.", got=error, do="fetch or write it again") from error


def _batches(file: Any) -> Iterator[Any]:
    import pyarrow as pa

    try:
        yield from pa.ipc.open_stream(file)
    except pa.ArrowInvalid:
        file.seek(0)
        whole = pa.ipc.open_file(file)
        for number in range(whole.num_record_batches):
            yield whole.get_batch(number)


KINDS: dict[str, Callable[[Path, Tree], Iterator[tuple[int, Record]]]] = {
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".json": _list,
    ".csv": _separated,
    ".tsv": _separated,
    ".parquet": _parquet,
    ".arrow": _arrow,
}
