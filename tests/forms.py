"""Every form the package has, and the fingerprint of its schema.

`python -m tests.forms` writes tests/golden/schemas.json anew: after a form got a new number, its upgrade and an example, or
while nothing of a format was ever released.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

from genwright.core.durable import write_json
from genwright.core.record import fingerprint
from genwright.core.stored import Stored

ROOT = Path(__file__).parents[1]
GOLDEN = Path(__file__).parent / "golden"
SCHEMAS = GOLDEN / "schemas.json"


def forms() -> dict[str, type[Stored]]:
    """The forms of the package by name. Found in the source, so that none is forgotten and nothing else is imported."""
    found: dict[str, type[Stored]] = {}
    for file in sorted(file for room in (ROOT / "genwright").iterdir() for file in room.rglob("*.py")):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ClassDef) and "Stored" in map(ast.unparse, node.bases):
                module = ".".join(file.relative_to(ROOT).with_suffix("").parts)
                kind: type[Stored] = getattr(importlib.import_module(module), node.name)
                assert kind.form not in found, f"two forms are named {kind.form!r}"
                found[kind.form] = kind
    return found


def schemas() -> dict[str, dict[str, Any]]:
    """Number and fingerprint of every form."""
    found = {name: (kind.format, fingerprint(shape(kind.model_json_schema()))) for name, kind in forms().items()}
    return {name: {"format": number, "schema": schema} for name, (number, schema) in found.items()}


def shape(schema: Any) -> Any:
    """A JSON schema without what bears on no file: words for people, and defaults, since every field is written."""
    if isinstance(schema, dict):
        words = {key for key in ("title", "description") if isinstance(schema.get(key), str)}
        return {key: shape(value) for key, value in schema.items() if key not in words | {"default"}}
    return [shape(part) for part in schema] if isinstance(schema, list) else schema


if __name__ == "__main__":
    write_json(SCHEMAS, schemas())
