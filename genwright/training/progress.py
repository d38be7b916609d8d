"""How far a round of training has come."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from genwright.core.stored import Stored
from genwright.training.records import CurvePoint


class Progress(Stored):
    """What a checkpoint holds besides tensors; it changes at every step. `curve` has the points that are stored."""

    model_config = ConfigDict(frozen=False)
    form = "checkpoint"

    step: int = 0
    evaluated: int = 0  # the last step with held-out losses, to which a roll-back goes
    best_score: float | None = None
    best_step: int = 0
    stale: int = 0  # held-out measures since the best
    skipped: int = 0  # updates that failed
    bad: int = 0  # of those, the last ones in a row
    rollbacks: int = 0
    accumulate: int = 1  # micro-batches a step
    seconds: float = 0.0  # of this round
    stopped: Literal["early", "diverged", "out of memory"] | None = None
    curve: list[CurvePoint] = Field(default_factory=list)

    @property
    def last_score(self) -> float | None:
        """The newest held-out measure, None before the first."""
        return next((point.score for point in reversed(self.curve) if point.score is not None), None)

    def offer(self, score: float, better: str) -> bool:
        """Take in a held-out measure, of which `better` says whether lower or higher is; whether it is the best so far."""
        best = self.best_score
        if best is None or (score < best if better == "lower" else score > best):
            self.best_score, self.best_step, self.stale = score, self.step, 0
            return True
        self.stale += 1
        return False

    def tell(self, losses: list[dict[str, float]], made: int) -> None:
        """Complete the curve with the losses of the last steps, of which so many were made: fewer than were counted where too
        many in a row had failed."""
        first = self.step - len(losses)
        for place in range(max(0, len(self.curve) - len(losses)), len(self.curve)):
            point = self.curve[place]
            if point.step > first:
                self.curve[place] = point.model_copy(update={"losses": losses[point.step - first - 1]})
        if made < len(losses):
            self.cut(first + made)

    def cut(self, step: int) -> None:
        """Back to a step, as far as the curve shows it."""
        self.step, self.curve = step, [point for point in self.curve if point.step <= step]
