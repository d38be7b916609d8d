"""Drift: what comes now is not what the model was trained on.

Two signs. The champion's own loss on the new items against its loss on its test items, which it has not seen either: the
difference of the means with a bootstrap interval. And the distance between the centres of new items and training items,
against what chance would give with as many of the test items: pictures in the features that measure samples, sequences in
the square roots of how often each token occurs (Hellinger's distance).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from genwright.core.record import Record
from genwright.core.shapes import Signal, Tokens
from genwright.data.dataset import Dataset
from genwright.data.feed import Side
from genwright.evaluation import features
from genwright.evaluation.neighbours import flat
from genwright.triggers.base import Finding, Trigger, Watched, triggers

MOST = 256  # items whose features are taken
RESAMPLES = 500

Losses = NDArray[np.float64]


class DriftOptions(Record):
    least: float = Field(0.1, ge=0, description="by how much the loss must have grown, as a share of it")
    fewest: int = Field(30, ge=2, description="new items below which nothing is concluded")


@triggers.register
class Drift(Trigger):
    """Fires when the loss has surely grown by more than `least`, or the new items surely lie elsewhere."""

    name = "drift"
    Options: ClassVar[type[Record]] = DriftOptions
    options: DriftOptions

    def check(self, watched: Watched) -> Finding:
        fresh, old = watched.fresh, watched.trained_on
        count = 0 if fresh is None else len(fresh.test)
        if fresh is None or min(count, len(old.test)) < self.options.fewest:
            return self.found(False, f"{count} new items are fit for use; {self.options.fewest} are needed to judge by")
        random = np.random.default_rng(0)
        loss = self._loss(watched.losses(fresh), watched.losses(old), random)
        place = self._place(fresh, old, random)
        signs = [sign for sign in (loss, place) if sign is not None]
        fired = any(sign[0] for sign in signs)
        why = "; ".join(sign[1] for sign in signs) or "this model has neither a loss nor features to compare by"
        return self.found(fired, why)

    def _loss(self, new: Losses | None, then: Losses | None, random: np.random.Generator) -> tuple[bool, str] | None:
        if new is None or then is None:
            return None
        means = [mean(new, random), mean(then, random)]
        low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
        least = self.options.least * abs(float(then.mean()))
        words = f"the champion's loss is {new.mean():.4g} on new items, {then.mean():.4g} on its test items"
        return bool(low > least), f"{words} (difference {low:.3g} to {high:.3g}, more than {least:.3g} counts)"

    def _place(self, fresh: Dataset, old: Dataset, random: np.random.Generator) -> tuple[bool, str] | None:
        content = old.signature.makes
        if isinstance(content, Tokens):
            train, test, new = (frequencies(split, content) for split in (old.train, old.test, fresh.test))
        elif isinstance(content, Signal) and features.applies(content) is None:
            ruler = features.learn(old.train, content, old.validation)
            train, test, new = (ruler(flat(split, MOST)).numpy() for split in (old.train, old.test, fresh.test))
        else:
            return None
        away, home = centre_distance(new, train), centre_distance(test, train)
        both = np.concatenate([new, test])
        chance = []
        for _ in range(RESAMPLES):  # which of them are new is shuffled: how far apart chance alone would put them
            order = random.permutation(len(both))
            chance.append(centre_distance(both[order[: len(new)]], train))
        high = float(np.quantile(chance, 0.975))
        words = f"new items lie {away:.3g} from the training items in features, test items {home:.3g}"
        return bool(away > max(high, 2 * home)), f"{words} (chance alone reaches {high:.3g})"


def frequencies(split: Side, content: Tokens) -> NDArray[np.float32]:
    """(n, vocab) square roots of the share each token has in each of some items."""
    assert split.texts is not None
    rows = np.zeros((min(MOST, len(split)), content.vocab), dtype=np.float32)
    for place, row in enumerate(split.subset(MOST).tolist()):
        tokens = split.texts.tokens(row)
        rows[place] = np.sqrt(np.bincount(tokens, minlength=content.vocab)[: content.vocab] / max(1, len(tokens)))
    return rows


def mean(values: Losses, random: np.random.Generator) -> Losses:
    """(RESAMPLES,) means of resamples."""
    return np.asarray(values[random.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1))


def centre_distance(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Euclidean distance between the centres of two sets of features."""
    return float(np.linalg.norm(a.mean(axis=0) - b.mean(axis=0)))
