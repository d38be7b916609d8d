"""Files that are not what their names say."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import ClassVar

from genwright.core.record import Record
from genwright.data.filters.base import Entry, Filter, filters
from genwright.data.modalities.base import Modality

MAGIC: dict[str, tuple[bytes, ...]] = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "GIF": (b"GIF87a", b"GIF89a"),
    "BMP": (b"BM",),
    "WebP": (b"RIFF",),
    "TIFF": (b"II*\0", b"MM\0*"),
    "PDF": (b"%PDF-",),
    "ZIP": (b"PK\x03\x04",),
    "gzip": (b"\x1f\x8b\x08",),
}
ENDINGS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".webp": "WebP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}


class CorruptOptions(Record):
    pass


@filters.register
class Corrupt(Filter):
    """Drops what cannot be read (cleaning drops that in any case) and files of another type than their ending says."""

    name = "corrupt"
    Options: ClassVar[type[Record]] = CorruptOptions

    @classmethod
    def applies(cls, modality: Modality) -> str | None:
        return None

    def reason(self, entry: Entry) -> str | None:
        ending = PurePosixPath(entry.item.name).suffix.lower()
        found = next((kind for kind, starts in MAGIC.items() if entry.item.data.startswith(starts)), None)
        if ending in ENDINGS and found != ENDINGS[ending]:
            return f"{ending} says {ENDINGS[ending]}, the file is {found or 'something else'}"
        if ending not in ENDINGS and found in ("PDF", "ZIP", "gzip"):
            return f"a {found} file, though its name ends in {ending or 'nothing'}"
        return None
