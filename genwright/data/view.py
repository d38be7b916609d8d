"""What one model sees of a data set: which column it makes, which it is given, and how derived columns come about."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from genwright.core.record import Part, Record


class Derived(Record):
    """A derived column as a recipe declares it: the derivation, and the columns it is made of."""

    part: Part
    of: list[str] = Field(min_length=1)


class Wanted(Record):
    """How a model is given a column. `drop`: see core.shapes.Port."""

    optional: bool = False
    drop: float | None = Field(None, ge=0, lt=1)


class View(Record):
    """`makes` is None for a model that relates or encodes what it is given."""

    makes: str | None
    given: dict[str, Wanted] = Field(default_factory=dict)
    derived: dict[str, Derived] = Field(default_factory=dict, description="how derived columns come about")

    @property
    def seen(self) -> dict[str, Derived]:
        """The derived columns that are made or given, and those they are made of. There are others where several models see
        one view: what one makes for another."""
        found: set[str] = set()
        waiting = [*self.given, *([self.makes] if self.makes is not None else [])]
        while waiting:
            main = main_of(waiting.pop(), self.derived)
            if main is not None and main not in found:
                found.add(main)
                waiting += self.derived[main].of
        return {name: one for name, one in self.derived.items() if name in found}

    def origins(self, name: str) -> set[str]:
        """The columns, recorded or derived, that a column comes from; itself where it is recorded."""
        main = main_of(name, self.derived)
        if main is None:
            return {name}
        return {origin for of in self.derived[main].of for origin in (of, *self.origins(of))}


def main_of(name: str, derived: Iterable[str]) -> str | None:
    """The derived column that brings a column: itself, or the one it is a part of (`hidden_mask` of `hidden`)."""
    found = [one for one in derived if name == one or name.startswith(f"{one}_")]
    return max(found, key=len, default=None)
