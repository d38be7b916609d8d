"""How what a model makes changed while it trained: one sheet below the other."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from genwright.core.durable import write_text
from genwright.reports.gallery import Shown
from genwright.reports.page import environment
from genwright.training import shown

MOMENTS = 10  # sheets that are shown of a training
CHARACTERS = 1200  # of a sheet of texts

Strip = list[tuple[int, Shown]]
"""Step and sheet."""


def strip(folder: Path) -> Strip:
    """Of a training: some sheets, evenly spread, the first and the last among them."""
    found = list(shown.sheets(folder).items())
    places = np.unique(np.linspace(0, len(found) - 1, min(MOMENTS, len(found))).round().astype(int)) if found else ()
    return [(step, _sheet(file)) for step, file in (found[int(place)] for place in places)]


def write(path: Path, title: str, stands: str, strips: Sequence[tuple[str, Strip]]) -> Path:
    """A page of several of them, each under its name."""
    text = environment().get_template("strip.html.j2").render(title=title, stands=stands, strips=strips)
    write_text(path, text)
    return path


def _sheet(file: Path) -> Shown:
    media = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if media.startswith("text/"):
        text = file.read_text(errors="replace")
        return Shown(before=text[:CHARACTERS] + (" ..." if len(text) > CHARACTERS else ""))
    data = base64.b64encode(file.read_bytes()).decode("ascii")
    return Shown(uri=f"data:{media};base64,{data}", kind=media.split("/")[0])
