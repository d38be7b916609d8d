"""Where a person says that data is, a folder, a file or an address: as a recipe names it, and as it lies on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from genwright.core.errors import DataError, RecipeError
from genwright.core.explain import explain
from genwright.core.workspace import Workspace
from genwright.data.sources.base import FilesSource, sources

WEB = ("http://", "https://")


@dataclass(frozen=True)
class Origin:
    """A source of the kind `kind`, whose `option` names the place."""

    kind: str
    option: str
    place: str

    @classmethod
    def folder(cls, path: str) -> Origin:
        """A folder or file; relative paths start at the workspace."""
        return cls("folder", "path", path)

    @classmethod
    def of(cls, told: str, workspace: Workspace) -> Origin:
        """What a person wrote. Raises DataError where a recipe cannot say it."""
        if told.lower().startswith(WEB):
            return cls("url", "url", told)
        if "://" in told:
            return cls("remote", "address", told)
        return cls.folder(_relative(Path(told).expanduser(), workspace.root))

    def files(self, workspace: Workspace) -> Path:
        """The folder or file on this machine, brought here where it is elsewhere. Raises DataError, RecipeError."""
        if self.kind == "folder":
            return workspace.root / self.place
        kind = sources.get(self.kind)
        try:
            options = kind.Options.model_validate({self.option: self.place})
        except ValidationError as error:
            raise RecipeError(f"{self.place} is no address.", got="; ".join(explain(error, kind.Options))) from error
        source = kind(options, base=workspace.root, cache=workspace.state / "sources", suffixes=frozenset())
        return cast(FilesSource, source).fetched.root


def _relative(folder: Path, workspace: Path) -> str:
    """A folder or file as a recipe names it: relative to the workspace where it lies inside, else absolute."""
    folder = folder.resolve()
    path = folder.relative_to(workspace).as_posix() if folder.is_relative_to(workspace) else str(folder)
    try:
        path.encode()
    except UnicodeEncodeError as error:
        what = "The folder's name is not UTF-8, so a recipe cannot name it."
        raise DataError(what, got=ascii(path), do="rename the folder") from error
    return path
