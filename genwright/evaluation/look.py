"""Pictures seen through an extractor of features: held-out and other real ones, samples, and imitations, and how far they are
apart. Which extractor it is goes with every figure, since figures by two of them have nothing to do with each other."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from genwright.core.shapes import Shape, Signal
from genwright.data.feed import Side
from genwright.evaluation import naive as imitations
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.records import Measured

LEAST = 12  # pixels a side: smaller pictures have no texture to speak of


class Look(ABC):
    """One way of looking. `name` is what its findings are kept under; at most `shown` pictures of a side, and as many samples,
    are looked at, and at least `imitated` naive items of each kind."""

    name: ClassVar[str]
    shown: ClassVar[int]
    imitated: ClassVar[int]

    @abstractmethod
    def extractor(self, evaluand: Evaluand) -> Callable[[Tensor], Tensor]:
        """Pictures (n, channels, rows, columns) in [-1, 1] to features (n, d)."""

    @abstractmethod
    def described(self, evaluand: Evaluand) -> dict[str, str | int]:
        """`extractor`: what that is, and `resized`: to what size it has pictures brought."""

    def of_side(self, evaluand: Evaluand, side: Side) -> Tensor:
        """(n, d) features of real items."""

        def look() -> dict[str, Tensor]:
            return {"features": self.extractor(evaluand)(side.contents(side.subset(self.shown)))}

        return evaluand.data.tensors(f"{side.name} by {self.name}", look)["features"]

    def of_samples(self, evaluand: Evaluand) -> Tensor:
        """(n, d) features of samples."""
        return evaluand.once(self.name, lambda: self.extractor(evaluand)(evaluand.samples[: self.shown].float()))

    def compared(
        self, evaluand: Evaluand, name: str, found: tuple[float, float, float], away: Callable[[Tensor, Tensor], float]
    ) -> Measured:
        """A distance of the samples with its interval, beside what other real items get (`floor`) and the least that an
        imitation gets (`naive`); `away` is the distance of features from those of held-out items."""

        def marks() -> dict[str, Tensor]:
            held_out, train = self.of_side(evaluand, evaluand.held_out), evaluand.dataset.train
            many = min(self.shown, max(self.imitated, len(held_out)))
            imitated = (self.extractor(evaluand)(imitate(train, many)) for imitate in imitations.IMITATIONS)
            # Real items are at no distance from each other; less is chance.
            floor = max(0.0, away(self.of_side(evaluand, evaluand.reference), held_out))
            return {"floor": torch.tensor(floor), "naive": torch.tensor(min(away(items, held_out) for items in imitated))}

        known, (value, low, high) = evaluand.data.tensors(f"{evaluand.held} {name}", marks), found
        told = self.declared(evaluand)
        return Measured(
            value=value,
            low=min(low, value),
            high=max(high, value),
            n=min(int(told["samples"]), int(told["real items"])),
            floor=float(known["floor"]),
            naive=float(known["naive"]),
            detail=told,
        )

    def declared(self, evaluand: Evaluand) -> dict[str, str | int]:
        """What a figure is worth nothing without: by what it was taken, of how many, beside which."""
        return self.described(evaluand) | {
            "samples": min(self.shown, evaluand.count),
            "real items": min(self.shown, len(evaluand.held_out)),
            "split": evaluand.held,
        }


def applies(shape: Shape | None) -> str | None:
    """None, or why items of this shape cannot be looked at."""
    if isinstance(shape, Signal) and shape.picture and shape.bounded and min(shape.axes) >= LEAST:
        return None
    return f"looks at pictures of {LEAST} pixels a side or more"
