"""Peak signal-to-noise ratio: how near is an array to the one it should be?"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwright.core.shapes import Signal, Signature
from genwright.data.columns import Integers
from genwright.data.dataset import named
from genwright.data.derivations.base import derivations
from genwright.data.view import main_of
from genwright.evaluation import naive as imitations
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.groups import of_each
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured
from genwright.models.architectures.base import Encodes

PEAK = 2.0  # from -1 to 1
LEAST = 1e-10  # mean squared error that counts as none: 106 dB
PERFECT = 50.0  # decibels beyond which nobody sees a difference
PIECE = 128  # items encoded together


@metrics.register
class Psnr(Metric):
    """Mean ratio, in decibels, of the squared range to the mean squared error of `count` held-out items. Where an
    array over the same axes is given (a smaller picture, what is left of one) it is that of the sample to the item the given
    belongs to, counted where it was hidden if a mask says so; else that of a model that encodes and decodes the item. `naive`
    is the ratio of the mean training item. It does not see whether what is made looks real: a blur comes nearer than a
    guess."""

    name = "psnr"
    better = "higher"
    compared = True
    explain = (
        "How near, in decibels, an item comes to the real one that it was made from; 20 is rough, 30 good, 40 all but equal."
    )

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        makes = signature.makes
        return None if isinstance(makes, Signal) and makes.bounded and makes.axes else "compares arrays with axes in [-1, 1]"

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        if not len(evaluand.held_out):
            return "there are no held-out items"
        if _aligned(evaluand.signature) or (isinstance(evaluand.model, Encodes) and "content" in evaluand.model.codes):
            return None
        return "nothing is given over the same axes, and the family does not encode"

    def measure(self, evaluand: Evaluand) -> Measured:
        rows = evaluand.held_out.subset(evaluand.count)
        real = evaluand.held_out.contents(rows)
        if _aligned(evaluand.signature):
            made, weight = evaluand.samples[: len(rows)], _hidden(evaluand, rows)
        else:
            made, weight = _reconstructed(evaluand, real), None
        counted = torch.ones_like(real) if weight is None else weight.expand_as(real)
        some = counted.flatten(1).sum(dim=1) > 0  # of some items nothing may be hidden
        ratios = _ratios(made.clamp(-1, 1), real, counted)[some].numpy()

        def mean(places: NDArray[np.intp]) -> float:
            return float(ratios[places].mean())

        low, high = bootstrap(len(ratios), mean, seed=evaluand.seed)
        groups = of_each(evaluand.groups(rows[some.numpy()]), mean)
        naive = float(_ratios(imitations.mean(evaluand.dataset.train, len(real)), real, counted)[some].mean())
        value = float(ratios.mean())
        return Measured(value=value, low=low, high=high, n=len(ratios), naive=naive, perfect=PERFECT, groups=groups)


def _ratios(made: Tensor, real: Tensor, counted: Tensor) -> Tensor:
    """(n,) in decibels."""
    error = ((made - real).square() * counted).flatten(1).sum(dim=1) / counted.flatten(1).sum(dim=1).clamp_min(1e-9)
    return 10 * (PEAK**2 / error.clamp_min(LEAST)).log10().double()


def _aligned(signature: Signature) -> list[str]:
    """The givens that lie over the same axes as what is made."""
    assert isinstance(signature.makes, Signal)
    over = signature.makes.over
    return [n for n, port in signature.given.items() if isinstance(port.shape, Signal) and port.shape.over == over]


def _hidden(evaluand: Evaluand, rows: Integers) -> Tensor | None:
    """(n, 1, *axes) 1 where items were hidden; None where no mask is given."""
    derived = evaluand.dataset.view.derived
    for name in evaluand.signature.given:
        main = main_of(name, derived)
        if main is not None and derivations.get(derived[main].part.kind).hides and name == named(main, "mask"):
            return 1 - evaluand.given_of(rows)[name].value
    return None


def _reconstructed(evaluand: Evaluand, real: Tensor) -> Tensor:
    model = evaluand.model
    assert isinstance(model, Encodes)
    pieces = (piece.to(evaluand.device) for piece in real.split(PIECE))
    return torch.cat([model.decode("content", model.encode("content", piece)).cpu() for piece in pieces])
