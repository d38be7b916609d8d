"""What a model in training is worth on held-out items: the losses, which are cheap, and the ranked measure, which is not."""

from __future__ import annotations

from typing import NamedTuple

from genwright.data.dataset import Dataset
from genwright.evaluation.evaluate import LOSS_ITEMS, held_out_losses, score
from genwright.evaluation.memo import Memo
from genwright.training.learner import Learner

SHARE = 0.1  # of a round's work that may go into held-out losses and measures; half of it for either
FEWEST = 2  # of either in a round: fewer do not say whether a model still becomes better


class HeldOut(NamedTuple):
    """`score` is the ranked measure, None where it was not asked for; losses are None with several players."""

    score: float | None
    train_loss: float | None
    validation_loss: float | None


def measured(learner: Learner, dataset: Dataset, memo: Memo, *, ranked: bool) -> HeldOut:
    """Of the averaged weights; `ranked` says that the plan's measure is wanted too. `memo` is what earlier measures found out
    about the data."""
    plan, device = learner.plan, str(learner.device)
    with learner.autocast():
        found = score(learner.average, dataset, plan, side="validation", device=device, memo=memo) if ranked else None
        return HeldOut(None if found is None else found.value, *held_out_losses(learner.average, dataset, plan, device))


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
