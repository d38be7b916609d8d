"""What is wrong with values a person wrote, in words: a line a problem, with the nearest key for one that is unknown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from genwright.core.errors import nearest


def explain(error: ValidationError, kind: type[BaseModel], root: str = "") -> list[str]:
    """One line a problem of values that are no `kind`: where, what, what was got, and for an unknown key the nearest one
    allowed there. `root` names the place of the whole."""
    lines = []
    for problem in error.errors():
        path = [str(p) for p in problem["loc"]]
        where = ".".join([root, *path] if root else path) or kind.__name__.lower()
        if problem["type"] == "extra_forbidden":
            lines.append(f"{where}: there is no such key{nearest(path[-1], _keys(kind, path[:-1]))}")
        else:
            got = f" (got {problem['input']!r})" if problem["type"] not in ("missing", "value_error") else ""
            lines.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}{got}")
    return lines


def _keys(kind: type[BaseModel], path: list[str]) -> list[str]:
    """The keys allowed at `path` of a record."""
    places: list[Any] = [kind]
    for step in path:
        places = [inner for place in places for record in _plain(place) for inner in _within(record, step)]
    records = [record for place in places for record in _plain(place) if _is_record(record)]
    return [key for record in records for key in record.model_fields]


def _plain(annotation: Any) -> Iterator[Any]:
    """The types an annotation stands for: each of a union, without what is said besides."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for choice in get_args(annotation):
            yield from _plain(choice)
    else:
        yield annotation


def _within(annotation: Any, step: str) -> list[Any]:
    """What stands under a key of a record or mapping, or at a place of a sequence."""
    if _is_record(annotation):
        return [annotation.model_fields[step].annotation] if step in annotation.model_fields else []
    origin = get_origin(annotation)
    collection = isinstance(origin, type) and issubclass(origin, (Mapping, Sequence))
    return [get_args(annotation)[-1]] if collection else []


def _is_record(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
