"""Promoting a version and going back to one: none serves before it has passed every check and has been tried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from genwright.core.errors import ModelError
from genwright.lifecycle.ledger import LedgerEntry
from genwright.lifecycle.records import Decision
from genwright.lifecycle.tryout import rehearse
from genwright.models.records import ModelVersion

Check = Callable[[ModelVersion], None]
"""Raises ModelError for a version that must not serve."""


class Champions(Protocol):
    """What promotion asks of a registry of models."""

    def current(self, name: str) -> ModelVersion:
        """The champion. Raises ModelError where there is none."""
        ...

    def former(self, name: str) -> ModelVersion | None:
        """The champion before this one; None where there was none."""
        ...

    def fetch(self, version: ModelVersion) -> tuple[Path, Mapping[str, Path]]:
        """The files of a version and those of the versions that it pins, fetched anew and verified. Raises ModelError."""
        ...

    def refuse(self, version: ModelVersion, why: str, decision: Decision | None = None) -> None:
        """Write down that a version was not promoted."""
        ...

    def move_alias(
        self,
        version: ModelVersion,
        *,
        expected: int | None,
        why: str,
        decision: Decision | None = None,
        back: bool = False,
        who: str | None = None,
    ) -> LedgerEntry:
        """Make a version the champion, unseen. Raises ServiceError when the champion is no longer `expected`."""
        ...


def promote(
    registry: Champions,
    version: ModelVersion,
    checks: Sequence[Check],
    *,
    expected: int | None,
    why: str,
    decision: Decision | None = None,
    who: str | None = None,
) -> LedgerEntry:
    """Make a version the champion, after it has passed the checks and its files, fetched anew, have been sampled from.

    Raises ModelError for a version that cannot serve, ServiceError when the champion is no longer `expected`.
    """
    _prove(registry, version, checks, "promoted")
    return registry.move_alias(version, expected=expected, why=why, decision=decision, who=who)


def rollback(registry: Champions, name: str, checks: Sequence[Check], *, why: str) -> LedgerEntry:
    """Make the champion before this one champion again. Raises ModelError, and leaves the champion where it is, when there
    was none or it can no longer serve."""
    champion, former = registry.current(name), registry.former(name)
    if former is None:
        raise ModelError(
            f"{name} had no champion before version {champion.version}; it stays.",
            do=f"`genwright promote {name} VERSION` makes another version champion",
        )
    _prove(registry, former, checks, "rolled back to")
    return registry.move_alias(former, expected=champion.version, why=why, back=True)


def _prove(registry: Champions, version: ModelVersion, checks: Sequence[Check], verb: str) -> None:
    """Raises ModelError, and has the refusal written down, for a version that fails a check or does not sample."""
    try:
        for check in checks:
            check(version)
        rehearse(*registry.fetch(version))
    except ModelError as error:
        why = f"version {version.version} of {version.name} cannot be {verb}; the champion stays"
        registry.refuse(version, f"{why}: {error.what}")
        raise ModelError(f"{why[0].upper()}{why[1:]}.", got=error, do="choose another version") from error
