"""Changing one key of a YAML file a person wrote, and nothing else of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from genwright.core.durable import write_text
from genwright.recipes.recipe import parse


def put(path: Path, key: str, value: Any) -> None:
    """Set a top-level key of a recipe file, on one line; None removes it. Comments and the rest stay as they are.

    Raises RecipeError, and leaves the file alone, when the result would be no recipe.
    """
    text = path.read_text()
    lines = text.splitlines(keepends=True)
    found = _place(text, key)
    new = [] if value is None else [f"{key}: {yaml.safe_dump(value, default_flow_style=True, width=10_000).strip()}\n"]
    if found is not None:
        first, last = found
        lines[first:last] = new
    elif new:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += "\n"
        lines += ["\n", *new]
    changed = "".join(lines)
    parse(yaml.safe_load(changed), str(path))
    write_text(path, changed)


def _place(text: str, key: str) -> tuple[int, int] | None:
    """The lines a top-level key takes, the first and the one after the last."""
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        return None
    for name, value in node.value:
        if name.value == key:
            return name.start_mark.line, _last(value)
    return None


def _last(node: yaml.Node) -> int:
    """The line after a value. A block ends with its last entry: what YAML counts to it besides are comments."""
    if isinstance(node, yaml.MappingNode) and not node.flow_style and node.value:
        return max(_last(value) for _, value in node.value)
    if isinstance(node, yaml.SequenceNode) and not node.flow_style and node.value:
        return max(_last(entry) for entry in node.value)
    return int(node.end_mark.line) + (1 if node.end_mark.column else 0)
