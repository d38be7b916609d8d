"""What folders, files and columns are called that hold what is made, or what it is made from."""

from __future__ import annotations

import re

TARGETS = {
    *("tgt", "target", "targets", "out", "output", "outputs", "answer", "answers", "summary", "summaries"),
    *("edited", "after", "result", "results"),
}
SOURCES = {
    *("src", "source", "sources", "in", "input", "inputs", "article", "articles", "question", "questions"),
    *("original", "before", "control", "controls", "condition", "conditions", "conditioning"),
    *("sketch", "sketches", "edges", "depth", "pose", "mask", "masks", "reference"),
}
APART = re.compile(r"[^a-z0-9]+")


def place(name: str) -> int:
    """Where a name comes in the order of what is given and what is made of it: -1, 1, or 0 where it does not say."""
    words = set(APART.split(name.lower()))
    return 1 if words & TARGETS else -1 if words & SOURCES else 0
