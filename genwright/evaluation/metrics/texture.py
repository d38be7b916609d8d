"""Is the detail right? Sliced Wasserstein distance between small patches (Rabin et al. 2012; Karras et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import Signal, Signature
from genwright.evaluation import naive as imitations
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import Metric, bootstrap, metrics
from genwright.evaluation.records import Measured

MOST = 300  # items of either kind
PATCHES = 16  # of each item, at each scale
SIDE = 7  # of a patch; less where pictures are small
DIRECTIONS = 32
ROUNDS = 30  # resamples
QUANTILED = 4096  # patches that quantiles are taken of


@metrics.register
class Texture(Metric):
    """Mean distance, times 100, of what patches of samples and of held-out items show along random directions, each scaled to
    unit deviation over held-out patches, at the pictures' own size and halved. It needs few items, since each has many
    patches; it does not see how patches lie together, which kinds there are, nor copies."""

    name = "texture"
    better = "lower"
    explain = "How far small details of the samples are from those of real unseen pictures; blur, noise and ghosts show here."

    sees = ("mean", "noise", "static", "normal", "faded", "blurred", "blended")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        makes = signature.makes
        return None if isinstance(makes, Signal) and makes.picture else "looks at arrays with two axes (pictures)"

    def measure(self, evaluand: Evaluand) -> Measured:
        side = evaluand.held_out
        known = evaluand.data.tensors(f"{side.name} texture", lambda: _known(evaluand))
        samples = _described(evaluand.samples[:MOST].float(), _scales(evaluand))
        n = len(samples[0])

        def distance(rows: NDArray[np.intp]) -> float:
            return _distance([found[rows] for found in samples], known)

        value = distance(np.arange(n))
        low, high = bootstrap(n, distance, seed=evaluand.seed, rounds=ROUNDS)
        floor, naive = float(known["floor"]), float(known["naive"])
        return Measured(value=value, low=min(low, value), high=max(high, value), n=n, floor=floor, naive=naive)


def _known(evaluand: Evaluand) -> dict[str, Tensor]:
    """`quantiles N` and `deviation N` of what held-out items show at each scale; `floor`: the distance of other real items,
    `naive`: the least of an imitation."""
    scales, side, train = _scales(evaluand), evaluand.held_out, evaluand.dataset.train
    real = _described(side.contents(side.subset(MOST)), scales)
    known = {f"quantiles {scale}": _quantiles(found) for scale, found in enumerate(real)}
    known |= {f"deviation {scale}": found.flatten(0, 1).std(dim=0).clamp_min(1e-6) for scale, found in enumerate(real)}
    other = evaluand.reference
    floor = _distance(_described(other.contents(other.subset(MOST)), scales), known)
    naive = min(_distance(_described(imitate(train, len(real[0])), scales), known) for imitate in imitations.IMITATIONS)
    return known | {"floor": torch.tensor(floor), "naive": torch.tensor(naive)}


def _scales(evaluand: Evaluand) -> int:
    """How many there are: the pictures as they are, and halved where they are large enough."""
    makes = evaluand.signature.makes
    assert isinstance(makes, Signal)
    return 2 if min(makes.axes) >= 2 * SIDE else 1


def _described(items: Tensor, scales: int) -> list[Tensor]:
    """(n, PATCHES, DIRECTIONS) of each scale: what patches show along random directions."""
    found = []
    for scale in range(scales):
        generator = torch.Generator().manual_seed(scale)
        small = F.avg_pool2d(items, 2) if scale else items
        n, _, height, width = small.shape
        side = min(SIDE, min(height, width) // 2)
        rows, columns = (torch.randint(a - side + 1, (n, PATCHES), generator=generator) for a in (height, width))
        windows = small.unfold(2, side, 1).unfold(3, side, 1)  # (n, channels, y, x, side, side)
        patches = windows[torch.arange(n)[:, None], :, rows, columns].reshape(n, PATCHES, -1)
        directions = torch.randn(patches.shape[2], DIRECTIONS, generator=torch.Generator().manual_seed(1))
        found.append(patches @ (directions / directions.norm(dim=0)))
    return found


def _distance(samples: list[Tensor], known: Mapping[str, Tensor]) -> float:
    """Mean over scales and directions of the one-dimensional Wasserstein distance, in deviations of what is real."""
    distances = []
    for scale, found in enumerate(samples):
        away = (_quantiles(found) - known[f"quantiles {scale}"]).abs().mean(dim=0)
        distances.append(float((away / known[f"deviation {scale}"]).mean()))
    return 100 * float(np.mean(distances))


def _quantiles(found: Tensor) -> Tensor:
    """(511, DIRECTIONS) quantiles of what patches show, of every so manieth where there are more than QUANTILED."""
    rows = found.flatten(0, 1)
    return torch.quantile(rows[:: max(1, -(-len(rows) // QUANTILED))], torch.linspace(0, 1, 513)[1:-1], dim=0)
