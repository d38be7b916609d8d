"""Records: frozen, small, JSON-able; bulk stays on disk behind a path and a digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Record(BaseModel):
    """Base of everything that is stored or handed on."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


def fingerprint(*parts: Any) -> str:
    """Hex SHA-256 of what bears identity: records and plain JSON values, in canonical JSON."""

    def plain(part: Any) -> Any:
        return part.model_dump(mode="json") if isinstance(part, BaseModel) else part

    text = json.dumps([plain(p) for p in parts], sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=plain)
    return hashlib.sha256(text.encode()).hexdigest()


def dotted(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values under keys like `a.b`; lists stay whole."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= dotted(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


class Part(Record):
    """A registered part as a recipe names it: `{kind: NAME, option: value, ...}`, options validated by the part."""

    kind: str
    options: dict[str, Any] = Field(default_factory=dict)
