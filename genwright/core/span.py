"""Lengths of time as people write them: `30m`, `6h`, `7d`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")


def span(text: str) -> timedelta:
    """A length of time written as a number and a unit, e.g. `30m`. Raises ValueError."""
    found = SPAN.fullmatch(text.strip())
    if found is None or float(found[1]) <= 0:
        raise ValueError("a length of time is a number and a unit, e.g. 45s, 30m, 6h, 7d, 2w")
    return timedelta(**{UNITS[found[2]]: float(found[1])})


def _checked(text: str) -> str:
    span(text)
    return text


Span = Annotated[str, AfterValidator(_checked)]
"""A field of a record that holds a length of time as it was written."""
