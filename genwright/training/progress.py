"""How far a round of training has come."""

from __future__ import annotations

from math import inf, isfinite
from typing import Literal

from pydantic import ConfigDict, Field

from genwright.core.stored import Stored
from genwright.training.held_out import HeldOut
from genwright.training.records import CurvePoint

SEEN = 3  # held-out losses before one can be told to have jumped


class Progress(Stored):
    """What a checkpoint holds besides tensors; it changes at every step. `curve` has the points that are stored."""

    model_config = ConfigDict(frozen=False)
    form = "checkpoint"

    step: int = 0
    evaluated: int = 0  # the last step with held-out losses, to which a roll-back goes
    best: float | None = None  # the best of the values by which weights are kept
    best_step: int = 0  # whose weights are kept; 0: none yet
    stale: int = 0  # such values since the best
    skipped: int = 0  # updates that failed
    bad: int = 0  # of those, the last ones in a row
    rollbacks: int = 0
    accumulate: int = 1  # micro-batches a step
    seconds: float = 0.0  # of this round
    stopped: Literal["early", "diverged", "out of memory"] | None = None
    curve: list[CurvePoint] = Field(default_factory=list)

    def offer(self, value: float, better: Literal["lower", "higher"], doubt: float = 0.0) -> bool:
        """Take in a value by which weights are kept, and how far chance may have moved it; whether this step's are kept from
        now on. They are where the value is the best so far, or may be but for chance: of steps that cannot be told apart the
        later has learned more. A value that is not finite never counts."""
        sign = 1.0 if better == "lower" else -1.0
        cost = sign * value
        if not isfinite(cost):
            self.stale += 1
            return False
        best = inf if self.best is None else sign * self.best
        self.stale = 0 if cost < best else self.stale + 1
        self.best = sign * min(cost, best)
        if cost - doubt > best:
            return False
        self.best_step = self.step
        return True

    def spike(self, found: HeldOut) -> str | None:
        """None, or in words that the losses of training items and of validation items have both jumped beyond all that this
        round has seen, by more than they ever moved: something broke, as overfitting never lets the first one rise."""
        seen = [
            (p.train_loss, p.validation_loss) for p in self.curve if p.train_loss is not None and p.validation_loss is not None
        ]
        now = (found.train_loss, found.validation_loss)
        if len(seen) < SEEN:
            return None
        for value, before in zip(now, zip(*seen, strict=True), strict=True):
            if value is None or not value > 2 * max(before) - min(before):
                return None
        return f"the held-out loss jumped to {found.validation_loss:.4g} from {seen[-1][1]:.4g}"

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
