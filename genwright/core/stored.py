"""Forms: what lies on disk says by a number how it is written, so that a later release still reads it.

A form is a record with a place of its own, a file or a line of one. Its JSON holds the record's fields beside `format`,
the number, `genwright`, the release that wrote it, and `seal`, the fingerprint of all the rest: decisions are made by what
records say, so one that was altered by hand, by another program or by a failing disk is not believed. Records within a
form have no number and no seal: those of the form cover them. When the fields of a form or of anything within it change,
its `format` rises by one and its `upgrades` get one function more, from the values of the number before to those of the
new one. They are applied on reading and in memory; nothing on disk is rewritten for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from genwright import __version__
from genwright.core.durable import write_json
from genwright.core.errors import FormatError
from genwright.core.record import Record, fingerprint

FORMAT, RELEASE, SEAL = "format", "genwright", "seal"
Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""From the values of one format to those of the next. What it raises counts as damage of the file."""


class Stored(Record):
    """Base of every form. A new format is declared beside the fields it is about:

    class Request(Stored):
        form = "request"
        format = 2
        upgrades = (lambda old: {**old, "who": "unknown"},)
    """

    form: ClassVar[str]
    """Its name, of one word: in errors, and of the examples in tests/golden."""
    format: ClassVar[int] = 1
    upgrades: ClassVar[tuple[Upgrade, ...]] = ()
    """From format 1 to 2, from 2 to 3, and so on up to `format`."""
    mend: ClassVar[str] = "run the recipe again"
    """What a person does about one that cannot be read."""
    signed: ClassVar[bool] = True
    """Whether the release that wrote it is named. Not where equal contents have to give equal bytes."""
    sealed: ClassVar[bool] = True
    """Whether it carries a seal. Not where something else says that it is as it was written."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if len(cls.upgrades) != cls.format - 1:
            raise TypeError(f"{cls.__name__} is of format {cls.format} and has {len(cls.upgrades)} upgrades")


S = TypeVar("S", bound=Stored)


def document(record: Stored) -> dict[str, Any]:
    """The JSON object that stands for a record on disk."""
    head = {FORMAT: record.format} | ({RELEASE: __version__} if record.signed else {})
    fields: dict[str, Any] = from_json(record.model_dump_json())
    whole = head | fields
    return whole | ({SEAL: fingerprint(whole)} if record.sealed else {})


def write(path: Path, record: Stored) -> None:
    """Store a record in a file of its own, whole or not at all; equal records give equal bytes."""
    write_json(path, document(record))


def line(record: Stored) -> str:
    """A record as one line, without its end."""
    return json.dumps(document(record), ensure_ascii=False)


def read(kind: type[S], path: Path) -> S:
    """The record in a file. Raises FormatError where it is damaged, of a later format, or of none."""
    return parse(kind, path.read_bytes(), str(path))


def readable(kind: type[S], path: Path) -> S | None:
    """The record in a file; None where there is no such file, or `read` raises. For what can be made again."""
    try:
        return read(kind, path)
    except (FileNotFoundError, FormatError):
        return None


def altered(path: Path) -> bool:
    """Whether a file that should hold a record, of whatever form, is damaged or is not what was written."""
    values = parsed(path.read_bytes())
    if values is None or FORMAT not in values:
        return True
    seal = values.pop(SEAL, None)
    return seal is not None and seal != fingerprint(values)


def read_lines(kind: type[S], path: Path) -> list[S]:
    """The records in the lines of a file; none where there is no file. Raises FormatError, naming the line."""
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [parse(kind, text, f"Line {number} of {path}") for number, text in enumerate(lines, start=1) if text.strip()]


def parse(kind: type[S], text: str | bytes, where: str) -> S:
    """The record that a text holds. `where` names the text in errors. Raises FormatError as `read` does."""
    values = parsed(text)
    if values is None:
        raise _damaged(kind, where, "no whole JSON object")
    if FORMAT not in values:
        raise FormatError(
            f"{where} ({kind.form}) has no format number: it was written before Genwright's first release.",
            do=kind.mend,
        )
    number = values.pop(FORMAT)
    if type(number) is not int or number < 1:
        raise _damaged(kind, where, f"format {number!r}")
    if number > kind.format:
        raise _later(kind, where, number, values.get(RELEASE))
    if kind.sealed and (seal := values.pop(SEAL, None)) != fingerprint({FORMAT: number} | values):
        raise _damaged(kind, where, "no seal" if seal is None else "not what was written: its seal is of other values")
    if RELEASE not in kind.model_fields:
        values.pop(RELEASE, None)
    try:
        for upgrade in kind.upgrades[number - 1 :]:
            values = upgrade(values)
    except Exception as error:  # an upgrade trusts the format it is for; whatever it stumbles over is damage
        raise _damaged(kind, where, f"{type(error).__name__}: {error}") from error
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise _damaged(kind, where, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """The JSON object a text holds, of whatever format; None where it holds something else or is cut short."""
    try:
        values = from_json(text)
    except ValueError:
        return None
    return values if isinstance(values, dict) else None


def _damaged(kind: type[Stored], where: str, got: str) -> FormatError:
    return FormatError(f"{where} ({kind.form}) is damaged.", got=got, do=kind.mend)


def _later(kind: type[Stored], where: str, number: int, release: object) -> FormatError:
    said = release if isinstance(release, str) and re.fullmatch(r"[0-9A-Za-z.+-]{1,40}", release) else None
    return FormatError(
        f"{where} ({kind.form}) was written by {f'Genwright {said}' if said else 'a later release of Genwright'}"
        " in a format that this release does not know.",
        got=f"format {number}",
        allowed=f"format {kind.format} and earlier, by Genwright {__version__}",
        do=f"install {f'Genwright {said}' if said else 'that release'} or a later one",
    )
