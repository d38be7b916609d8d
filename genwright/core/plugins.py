"""Parts found by being there: a file in the right room, or in an installed package that says so.

A part is a class with a `name`, registered by decorator. Every module of a room's package is imported on the first
look-up, and so is every module a third-party distribution lists under the entry-point group of the room
(`genwright.architectures`, `genwright.modalities`, `genwright.readers`, `genwright.sources`, `genwright.filters`,
`genwright.derivations`, `genwright.metrics`, `genwright.triggers`).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from typing import ClassVar, Generic, Protocol, TypeVar

from genwright import __version__
from genwright.core.errors import GenwrightError, nearest


class Named(Protocol):
    name: ClassVar[str]


P = TypeVar("P", bound=Named)


@cache
def _points() -> EntryPoints:
    """Those of every installed distribution, whose files are all read for it."""
    return entry_points()  # type: ignore[return-value]  # what typeshed says of 3.11 is a class that selects alike


class Plugins(Generic[P]):
    """The classes of one room, by name, in alphabetical order. `package` is where the room's own files lie."""

    def __init__(self, room: str, package: str) -> None:
        self.room, self.package = room, package
        self._parts: dict[str, type[P]] = {}
        self._providers: dict[str, str] = {}  # of parts that other distributions brought
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
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{module.name}")
            for point in _points().select(group=f"genwright.{self.room}"):
                self._load(point)
        return dict(sorted(self._parts.items()))

    def provider(self, name: str) -> str:
        """The distribution that brought a part, with its release, e.g. `studio-parts 1.0`."""
        self.get(name)
        return self._providers.get(name, f"genwright {__version__}")

    def _load(self, point: EntryPoint) -> None:
        before = set(self._parts)
        point.load()
        brought = f"{point.dist.name} {point.dist.version}" if point.dist else point.value
        self._providers |= dict.fromkeys(set(self._parts) - before, brought)
