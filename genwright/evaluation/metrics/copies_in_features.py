"""Is a sample a copy of one training item in other tones?"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.extractor import PATCH_FILTERS
from genwright.evaluation.look import applies
from genwright.evaluation.metrics import copies
from genwright.evaluation.metrics.base import Metric, metrics
from genwright.evaluation.neighbours import MOST, PIECE, twins
from genwright.evaluation.records import Measured

LOOKED = 20_000  # training items at most that are looked at
RATIO = 1 / 2  # as in `copies`; in features hardly a real item is that much nearer to one training item than to any other


@metrics.register
class CopiesInFeatures(Metric):
    """Share of samples whose nearest training item is less than half as far as the second nearest, mirrored or not, in
    features of `evaluation/extractor.py`. Brightness and contrast of a patch matter little there, so it sees copies whose tones
    were changed, which `copies` may not. Of more than LOOKED training items a random choice is compared; `detail` says how
    many."""

    name = "copies_in_features"
    better = "lower"
    explain = "Share of samples that are one training item, perhaps in other tones; near 0 is what new real items show."

    sign = "memorised"
    sees = ("copies", "mirrored copies", "toned copies", "ten repeated")
    compared = True

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return applies(signature.makes)

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return copies.Copies.lacks(evaluand)

    @classmethod
    def alarm(cls, measured: Measured) -> str | None:
        return copies.alarming(measured)

    def measure(self, evaluand: Evaluand) -> Measured:
        side, known = evaluand.held_out, _known(evaluand)
        look = PATCH_FILTERS.extractor(evaluand)
        distances, _ = twins(evaluand.samples[:MOST].float(), torch.split(known, PIECE), look)

        def held_out() -> dict[str, Tensor]:
            return {"distances": twins(side.contents(side.subset(MOST)), torch.split(known, PIECE), look)[0]}

        real = evaluand.data.tensors(f"{side.name} twins by {PATCH_FILTERS.name}", held_out)["distances"]
        detail = PATCH_FILTERS.described(evaluand) | {"training items": len(known)}
        return copies.measured(distances, real, RATIO, evaluand.seed, detail)


def _known(evaluand: Evaluand) -> Tensor:
    """(n, d) features of training items."""

    def look() -> dict[str, Tensor]:
        train, extractor = evaluand.dataset.train, PATCH_FILTERS.extractor(evaluand)
        rows = np.sort(train.subset(LOOKED))
        starts = range(0, len(rows), PIECE)
        return {"features": torch.cat([extractor(train.contents(rows[start : start + PIECE])) for start in starts])}

    return evaluand.data.tensors(f"training items by {PATCH_FILTERS.name}", look)["features"]
