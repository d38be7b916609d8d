"""OpenMoji: drawn emoji with their names, rendered as pictures."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image, ImageChops
from pydantic import Field

from genwright.core.errors import DataError
from genwright.core.record import Record, fingerprint
from genwright.data.fetch.packages import Fetched, PackageChoice, fetch
from genwright.data.item import Item
from genwright.data.sources.base import Source, sources

LICENCE = "CC-BY-SA-4.0"
INDEX = "data/openmoji.json"
FLAGS = "flags"  # the group whose outlines are all the same empty rectangle
MOST_BYTES = 2**20  # of one drawing; the largest of OpenMoji has 150 kB
REFERS = re.compile(rb"<!|<(\w+:)?(image|feImage|style|script)\b|@import", re.IGNORECASE)
"""What could make the renderer read other files, or expand without end. No drawing of OpenMoji has any of it."""


class OpenmojiOptions(Record):
    version: str = Field("17.0.0", pattern=r"^[0-9][A-Za-z0-9.+-]*$", description="exact version of the npm package")
    size: int = Field(64, ge=8, le=1024, description="height and width in pixels")
    tags: bool = Field(False, description="put the tags after the name in the caption")
    skin_tones: bool = Field(False, description="take the variants in all skin tones as well")
    flags: bool = Field(False, description="take the flags as well; they have no sketch")


@sources.register
class Openmoji(Source):
    """The emoji of the npm package `openmoji`, in the order of its index. Columns: `content`, in colour on white (PNG);
    `caption`, the name in small letters; `label`, the group; `sketch`, the outline in black on white (PNG).

    Its state is the package, the renderer's version and the options.
    """

    name = "openmoji"
    Options: ClassVar[type[Record]] = OpenmojiOptions
    options: OpenmojiOptions

    def __init__(self, options: Record, *, base: Path, cache: Path, suffixes: frozenset[str]) -> None:
        super().__init__(options, base=base, cache=cache, suffixes=suffixes)
        self._skipped: dict[str, str] = {}

    @property
    def skipped(self) -> dict[str, str]:
        return self._skipped

    def state(self) -> str:
        fetched, _ = self._fetched()
        return f"{fetched.version}:{fetched.sha256}:{installed('resvg-py')}:{fingerprint(self.options)}"

    def items(self) -> Iterator[Item]:
        fetched, folder = self._fetched()
        self._skipped = dict(fetched.skipped)
        for entry in _index(folder / INDEX):
            name = str(entry["hexcode"])
            reason = self._unwanted(entry)
            columns = None if reason else self._columns(folder, entry)
            if columns is None:
                self._skipped.setdefault(name, reason or "its drawing is missing")
                continue
            yield Item(f"{name}.png", columns, f"npm:openmoji=={fetched.version}", LICENCE, _drawn(entry))

    def _fetched(self) -> tuple[Fetched, Path]:
        return fetch(PackageChoice(manager="npm", package="openmoji", version=self.options.version), self.cache)

    def _unwanted(self, entry: dict[str, Any]) -> str | None:
        """Why an entry is left out, or None."""
        if not re.fullmatch(r"[0-9A-F]{2,6}(-[0-9A-F]{2,6})*", str(entry["hexcode"])):
            return "its code is not one of an emoji"
        if entry.get("skintone") and not self.options.skin_tones:
            return "a variant in one skin tone (`skin_tones`)"
        if entry["group"] == FLAGS and not self.options.flags:
            return "a flag (`flags`)"
        return None

    def _columns(self, folder: Path, entry: dict[str, Any]) -> dict[str, bytes] | None:
        """What an entry consists of; None with the reason noted where its drawing cannot be had."""
        content = self._rendered(folder, "color", entry["hexcode"])
        if content is None:
            return None
        tags = f", {entry['tags']}" if self.options.tags and entry["tags"] else ""
        caption = f"{entry['annotation']}{tags}".lower()
        columns = {"content": content, "caption": caption.encode(), "label": str(entry["group"]).encode()}
        sketch = None if entry["group"] == FLAGS else self._rendered(folder, "black", entry["hexcode"])
        return columns if sketch is None else {**columns, "sketch": sketch}

    def _rendered(self, folder: Path, style: str, code: str) -> bytes | None:
        """A drawing as PNG on white, or None with the reason noted where there is none or it is blank."""
        path, reason = folder / style / "svg" / f"{code}.svg", ""
        if not path.is_file() or not path.resolve().is_relative_to(folder.resolve()):
            reason = f"there is no {style} drawing of it"
        elif path.stat().st_size > MOST_BYTES:
            reason = f"its {style} drawing is larger than {MOST_BYTES // 2**20} MiB"
        elif REFERS.search(svg := path.read_bytes()):
            reason = f"its {style} drawing refers to something outside it"
        else:
            try:
                return _png(svg, self.options.size)
            except ValueError as error:  # also of bytes that are not UTF-8
                reason = f"its {style} drawing cannot be rendered: {error}"
        self._skipped[code if style == "color" else f"{code} ({style})"] = reason
        return None


def _png(svg: bytes, size: int) -> bytes:
    """A drawing rendered on white, (size, size) RGB. Raises ValueError where it is no drawing, or blank."""
    import resvg_py

    png = resvg_py.svg_to_bytes(svg_string=svg.decode(), width=size, height=size, background="#ffffff", skip_system_fonts=True)
    with Image.open(io.BytesIO(png), formats=["PNG"]) as file:
        picture = file.convert("RGB")
    if picture.size != (size, size):
        raise ValueError("it is not square")
    if ImageChops.invert(picture).getbbox() is None:
        raise ValueError("it is blank")
    out = io.BytesIO()
    picture.save(out, format="PNG")
    return out.getvalue()


def _index(path: Path) -> list[dict[str, Any]]:
    """The entries of the package's index. Raises DataError where it is not as it should be."""
    keys = ("hexcode", "annotation", "group", "tags")
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list) or not all(isinstance(entry[key], str) for entry in entries for key in keys):
            raise ValueError(f"entries without text for {', '.join(keys)}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"The index {INDEX} of OpenMoji cannot be read.", got=error, do="name another `version`") from error
    return entries


def _drawn(entry: dict[str, Any]) -> str:
    """The day an emoji was drawn, where the index tells."""
    try:
        day = datetime.fromisoformat(str(entry.get("openmoji_date")))
    except ValueError:
        return datetime.fromtimestamp(0, UTC).isoformat()
    return day.replace(tzinfo=UTC).isoformat()
