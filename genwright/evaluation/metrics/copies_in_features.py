"""Is a sample a copy of one training item in other tones?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from genwright.core.shapes import Signature
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.extractor import PATCH_FILTERS
from genwright.evaluation.look import applies
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.metrics.copies import Copies, Search
from genwright.evaluation.neighbours import PIECE, twins

LOOKED = 20_000  # training items at most that are looked at


@metrics.register
class CopiesInFeatures(Copies):
    """Share of samples whose nearest training item is less than half as far as the second nearest, mirrored or not, in
    features of `evaluation/extractor.py`. Brightness and contrast of a patch matter little there, so it sees copies whose tones
    were changed, which `copies` may not. Of more than LOOKED training items a random choice is compared; `detail` says how
    many."""

    name = "copies_in_features"
    explain = "Share of samples that are one training item, perhaps in other tones; near 0 is what new real items show."
    sees = ("copies", "mirrored copies", "toned copies", "ten repeated")
    ratio = 1 / 2  # in features hardly a real item is that much nearer to one training item than to any other

    @classmethod
    def suits(cls, signature: Signature) -> str | None:
        return applies(signature.makes)

    def search(self, evaluand: Evaluand) -> Search:
        look, known = PATCH_FILTERS.extractor(evaluand), _known(evaluand)
        return lambda queries: twins(queries.float(), torch.split(known, PIECE), look)

    def detail(self, evaluand: Evaluand, distances: Tensor, rows: Tensor) -> dict[str, Any]:
        return PATCH_FILTERS.described(evaluand) | {"training items": min(LOOKED, len(evaluand.dataset.train))}


def _known(evaluand: Evaluand) -> Tensor:
    """(n, d) features of training items."""

    def look() -> dict[str, Tensor]:
        train, extractor = evaluand.dataset.train, PATCH_FILTERS.extractor(evaluand)
        rows = np.sort(train.subset(LOOKED))
        starts = range(0, len(rows), PIECE)
        return {"features": torch.cat([extractor(train.contents(rows[start : start + PIECE])) for start in starts])}

    return evaluand.data.tensors(f"training items by {PATCH_FILTERS.name}", look)["features"]
