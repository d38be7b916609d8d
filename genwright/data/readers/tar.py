"""Tar shards as WebDataset has them: members called alike up to the first dot are one item, the rest of a name is its field."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record
from genwright.data.modalities.base import modalities
from genwright.data.readers.base import Claim, Reader, Row, readers
from genwright.data.readers.layouts import CAPTIONS
from genwright.data.tree import Tree, modified

RANK = 60
ENDINGS = (".tar", ".tar.gz", ".tgz")
LOOKED_AT = 20  # items by which fields are recognised
SIDE = ("txt", "caption", "text")
LABELS = ("cls", "label")
Member = tuple[str, str, bytes | None]
"""Key, field and bytes of a member; None where they are too many."""


class TarOptions(Record):
    """Which columns of items come from which fields."""

    content: str = Field(description="the field that is made: `jpg`, `input.png`")
    given: dict[str, str] = Field(
        default_factory=dict, description="another column to the field it comes from, e.g. {caption: txt}, {caption: json.text}"
    )


@readers.register
class Tar(Reader):
    """The items of every shard, streamed; nothing is unpacked."""

    name = "tar"
    Options: ClassVar[type[Record]] = TarOptions
    options: TarOptions

    @classmethod
    def recognise(cls, tree: Tree) -> Claim | None:
        shards = _shards(tree)
        if not shards:
            return None
        items = [fields for _, fields, _ in islice(_items(shards[0], tree), LOOKED_AT)]
        names = Counter(name for fields in items for name in fields)
        kinds = {name: kind for name in names if (kind := _kind(name)) is not None and name.rpartition(".")[2] not in SIDE}
        content = max(kinds, key=lambda name: (kinds[name] == "image", names[name], name), default=None)
        content = content or next((name for name in SIDE if names[name]), None)
        if content is None or names[content] * 2 < len(items):
            return None
        given = _given(items, names, content)
        if not given and len(shards) == 1:
            return None  # an archive of plain files
        kind = kinds.get(content, "text")
        asked = "".join(f", asked for by {field!r}" for field in given.values())
        many = shards[0].name + (f" and {len(shards) - 1:,} more shards" if shards[1:] else "")
        why = f"{many}: members called alike are an item; {content!r} is made{asked}"
        return Claim(why, kind, RANK, {"content": content, **({"given": given} if given else {})})

    def files(self) -> Iterator[Path]:
        yield from _shards(self.tree)

    def rows(self) -> Iterator[Row]:
        count = 0
        for shard in _shards(self.tree):
            written = modified(shard)
            for key, fields, large in _items(shard, self.tree):
                name, found = f"{self.tree.name(shard)}/{key}", {"content": fields.get(self.options.content)}
                found |= {column: _valued(fields, field) for column, field in self.options.given.items()}
                if found["content"] is None:
                    limit = f"larger than {self.tree.limit / 2**20:g} MiB (`item_mib`)"
                    self.tree.skipped[name] = limit if large else f"it has no {self.options.content!r}, but {', '.join(fields)}"
                    continue
                count += 1
                yield Row(name, {column: data for column, data in found.items() if data is not None}, written)
        if not count:
            raise DataError(
                f"No item of the shards in {self.tree.at} has {self.options.content!r}.",
                got="; ".join(f"{name}: {reason}" for name, reason in list(self.tree.skipped.items())[:2]) or "no shard",
                do="correct `content` of the form",
            )


def _shards(tree: Tree) -> list[Path]:
    every = (path for path in tree.paths() if path.name.lower().endswith(ENDINGS))
    return [path for path in every if tree.chosen(path) is not False and tree.usable(path, whole=False)]


def _kind(field: str) -> str | None:
    """The kind of content that reads a field, by its ending."""
    ending = "." + field.lower().rpartition(".")[2]
    return next((name for name, kind in modalities.all().items() if ending in kind.suffixes and ending != ".json"), None)


def _given(items: list[dict[str, bytes]], names: Counter[str], content: str) -> dict[str, str]:
    """A caption, in a field of its own or in the item's JSON, or a label."""
    for name in SIDE:
        if name in names and name != content:
            return {"caption": name}
    told = next((json.loads(fields["json"]) for fields in items if "json" in fields), None)
    caption = next((name for name in CAPTIONS if isinstance(told, dict) and isinstance(told.get(name), str)), None)
    if caption is not None:
        return {"caption": f"json.{caption}"}
    return next(({"label": name} for name in LABELS if name in names), {})


def _valued(fields: dict[str, bytes], field: str) -> bytes | None:
    """The bytes of a field, or of what stands in the item's JSON under a name."""
    if field in fields or not field.startswith("json."):
        return fields.get(field)
    try:
        value = json.loads(fields.get("json", b"{}")).get(field.removeprefix("json."))
    except (ValueError, AttributeError):
        return None
    return None if value in (None, "") else str(value).encode()


def _items(shard: Path, tree: Tree) -> Iterator[tuple[str, dict[str, bytes], bool]]:
    """Key and fields of each item, and whether one was too large."""
    held: dict[str, bytes] = {}
    key, large = "", False
    for name, field, data in _members(shard, tree):
        if name != key:
            if held or large:
                yield key, held, large
            key, held, large = name, {}, False
        if data is None:
            large = True
        else:
            held[field] = data
    if held or large:
        yield key, held, large


def _members(shard: Path, tree: Tree) -> Iterator[Member]:
    """The files of a shard, in its order. Raises DataError where it is cut off or no archive."""
    try:
        with tarfile.open(shard, "r|*") as archive:
            for member in archive:
                folder, _, name = member.name.rpartition("/")
                if not member.isfile() or name.startswith(".") or "." not in name:
                    continue
                stem, _, field = name.partition(".")
                source = archive.extractfile(member) if member.size <= tree.limit else None
                yield f"{folder}/{stem}".lstrip("/"), field.lower(), None if source is None else source.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"{shard} cannot be read to its end.", got=error, do="fetch it again") from error
