"""Errors a person can act on: what was got, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class GenwrightError(Exception):
    """An error meant for a person; the command line prints it without a traceback.

    `what` says what went wrong, `got` and `allowed` the value found and the values accepted, `do` the next step.
    """

    def __init__(self, what: str, *, got: object = None, allowed: object = None, do: str | None = None) -> None:
        self.what, self.got, self.allowed, self.do = what, got, allowed, do
        lines = [what]
        if got is not None:
            lines.append(f"  got:     {got}")
        if allowed is not None:
            lines.append(f"  allowed: {allowed}")
        if do is not None:
            lines.append(f"  do:      {do}")
        super().__init__("\n".join(lines))


class RecipeError(GenwrightError):
    """The recipe cannot be read or does not make sense."""


class DataError(GenwrightError):
    """The data cannot be collected, is altered, or is too little for what was asked."""


class TrainingError(GenwrightError):
    """Training cannot begin or go on."""


class ModelError(GenwrightError):
    """A model cannot be found, verified, loaded or sampled."""


class NotFinite(ModelError):
    """A model's numbers are no numbers: what it makes is no result."""


class ServiceError(GenwrightError):
    """A service (Prefect, MLflow, a DVC remote) does not answer or refuses."""


class FormatError(GenwrightError):
    """What was stored cannot be read by this release: it is damaged, or of a format that is not known here."""


class Unreadable(Exception):
    """Bytes that are not the kind of content they claim to be; the message is the quarantine reason."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A «did you mean» clause for a mistyped word, or the empty string when nothing is close."""
    close = get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
