"""What is wrong with given values, in words: where, what was got, and for an unknown key the nearest one allowed."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from genwright.core.errors import nearest
from genwright.core.record import Record


def explain(error: ValidationError, root: str = "") -> list[str]:
    """One line a problem. `root` is where the values stand; empty for a whole document."""
    lines = []
    for problem in error.errors():
        path = [str(part) for part in problem["loc"]]
        where = ".".join([root, *path] if root else path) or "recipe"
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: there is no such key{nearest(path[-1], _fields_at(error.title, path[:-1]))}")
        else:
            got = f" (got {problem['input']!r})" if problem["type"] not in ("missing", "value_error") else ""
            lines.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}{got}")
    return lines


def _fields_at(title: str, path: list[str]) -> list[str]:
    """The keys allowed at `path` of the record called `title`; of every record where that cannot be told."""
    record: Any = next((one for one in _records() if one.__name__ == title), None)
    for step in path:
        found = None if record is None else record.model_fields.get(step)
        record = getattr(found, "annotation", None)
        if record is None or not hasattr(record, "model_fields"):
            return sorted({name for one in _records() for name in one.model_fields})
    return [] if record is None else list(record.model_fields)


def _records() -> list[type[Record]]:
    found: list[type[Record]] = [Record]
    for record in found:
        found.extend(record.__subclasses__())
    return found
