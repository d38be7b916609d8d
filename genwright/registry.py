"""Parts found by being there: a file in the right room, or in an installed package that says so.

A part is a class with a `name`, registered by decorator. Every module of a room's package is imported on the first
look-up, and so is every module a third-party distribution lists under the entry-point group named like the room
(`genwright.architectures`, `genwright.modalities`, `genwright.sources`, `genwright.filters`, `genwright.metrics`,
`genwright.triggers`).
"""

from __future__ import annotations

import importlib
import pkgutil
from importlib.metadata import entry_points
from typing import ClassVar, Generic, Protocol, TypeVar

from genwright.errors import GenwrightError, nearest


class Named(Protocol):
    name: ClassVar[str]


P = TypeVar("P", bound=Named)


class Registry(Generic[P]):
    """The classes of one room, by name, in alphabetical order."""

    def __init__(self, room: str) -> None:
        self.room = room
        self._parts: dict[str, type[P]] = {}
        self._scanned = False

    def register(self, part: type[P]) -> type[P]:
        """Class decorator. Raises GenwrightError when another class holds the name."""
        held = self._parts.get(part.name)
        if held is not None and (held.__module__, held.__qualname__) != (part.__module__, part.__qualname__):
            raise GenwrightError(
                f"Two {self.room} are named {part.name!r}.",
                got=f"{held.__module__} and {part.__module__}",
                do="give one of them another name",
            )
        self._parts[part.name] = part
        return part

    def get(self, name: str) -> type[P]:
        """The class of that name. Raises GenwrightError naming what is there and the nearest match."""
        parts = self.all()
        if name not in parts:
            raise GenwrightError(
                f"There is no {name!r} among the {self.room}{nearest(name, parts)}.", got=name, allowed=", ".join(parts)
            )
        return parts[name]

    def all(self) -> dict[str, type[P]]:
        """Every registered class by name."""
        if not self._scanned:
            self._scanned = True
            group = f"genwright.{self.room}"
            package = importlib.import_module(group)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{group}.{module.name}")
            for point in entry_points(group=group):
                point.load()
        return dict(sorted(self._parts.items()))
