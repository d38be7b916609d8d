"""Names and reasons come from outside: what could steer a terminal is shown, not sent."""

from __future__ import annotations


def printable(text: str, keep: str = "") -> str:
    """The text with every character that a terminal may act on written as an escape, but for those to `keep`."""
    return "".join(c if c.isprintable() or c in keep else repr(c)[1:-1] for c in text)
