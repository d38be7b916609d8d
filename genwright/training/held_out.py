"""What a model in training is worth on held-out items: the losses, which are cheap, and the ranked measure, which is not.

Which weights are kept is told by the held-out loss where a family has one: it is taken of the same items with the same noise
every time, so that it moves with the weights alone. Samples are others for other weights, and of a few hundred the measure
moves by chance; where there is nothing else, an earlier step is only kept where it is surely better than all later ones. Of
what makes nothing the measure tells: a classifier or a pair of encoders becomes too sure of itself, which the loss minds, long
before it tells less.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal, NamedTuple

from torch import Tensor

from genwright.core.errors import NotFinite
from genwright.data.dataset import Dataset
from genwright.evaluation.evaluate import LOSS_ITEMS, held_out_losses, score
from genwright.evaluation.memo import Memo
from genwright.evaluation.metrics.base import metrics
from genwright.models.records import Plan
from genwright.training.learner import Learner
from genwright.training.records import CurvePoint

SHARE = 0.1  # of a round's work that may go into held-out losses and measures; half of it for either
FEWEST = 2  # of either in a round: fewer do not say whether a model still becomes better


class HeldOut(NamedTuple):
    """`score` is the ranked measure, None where it was not asked for or the samples are no numbers, `doubt` by how much chance
    may have made it better; losses are None with several players; `samples` are those that the measure drew."""

    score: float | None
    doubt: float | None
    train_loss: float | None
    validation_loss: float | None
    samples: Tensor | None = None

    @property
    def told(self) -> dict[str, float | None]:
        """What a point of the curve says of it."""
        return {name: value for name, value in self._asdict().items() if name != "samples"}


def measured(learner: Learner, dataset: Dataset, memo: Memo, *, ranked: bool) -> HeldOut:
    """Of the averaged weights; `ranked` says that the plan's measure is wanted too. `memo` is what earlier measures found out
    about the data."""
    plan, device = learner.plan, str(learner.device)
    with learner.autocast():
        losses = held_out_losses(learner.average, dataset, plan, device)
        if not ranked:
            return HeldOut(None, None, *losses)
        try:
            found, samples = score(learner.average, dataset, plan, side="validation", device=device, memo=memo)
        except NotFinite:
            return HeldOut(None, None, *losses)
        lower = metrics.get(plan.measure).better == "lower"
        return HeldOut(found.value, found.value - found.low if lower else found.high - found.value, *losses, samples)


@dataclass(frozen=True)
class KeptBy:
    """What tells which weights are kept: `name` for a person, a field of the points of a curve, and which way is better."""

    name: str
    field: Literal["validation_loss", "score"]
    better: Literal["lower", "higher"]

    def value(self, point: CurvePoint) -> float | None:
        found: float | None = getattr(point, self.field)
        return found

    def doubt(self, point: CurvePoint) -> float:
        """How far chance may have moved the value."""
        return point.doubt or 0.0 if self.field == "score" else 0.0

    def why(self, curve: Sequence[CurvePoint], kept: int) -> str:
        """Why the weights of step `kept` are kept, in words."""
        values = {point.step: value for point in curve if (value := self.value(point)) is not None and isfinite(value)}
        if kept not in values:
            return f"the last step's, as {self.name} was never a number"
        best = (min if self.better == "lower" else max)(values, key=lambda step: (values[step], -step))
        told = f"{self.name} is {values[kept]:.4g} there"
        if values[best] == values[kept]:
            return f"{told}, the {'lowest' if self.better == 'lower' else 'highest'} of {len(values)}"
        before = f"the best, {values[best]:.4g} at step {best}"
        return f"{told}, which chance does not tell from {before}, and it has learned for longer"


def kept_by(plan: Plan, losses: bool) -> KeptBy:
    """What tells which weights are kept: held-out losses, or the measure."""
    if losses:
        return KeptBy("the held-out loss", "validation_loss", "lower")
    return KeptBy(plan.measure, "score", metrics.get(plan.measure).better)


def cadence(steps: int, batch_size: int, most: int, price: float) -> tuple[int, int]:
    """Steps between held-out losses, and between ranked measures, which cost `price` steps each, in a round of `steps`: at
    most `most` of either, and as few as keeps them within their share."""
    losses = min(most, max(FEWEST, int(SHARE / 2 * steps / loss_price(batch_size))))
    measures = min(losses, max(FEWEST, int(SHARE / 2 * steps / price))) if price else losses
    every = max(1, -(-steps // losses))
    return every, every * -(-losses // measures)


def loss_price(batch_size: int) -> float:
    """What held-out losses cost, in training steps: a forward pass is a third of a step's work."""
    return 2 * LOSS_ITEMS / (3 * batch_size)
