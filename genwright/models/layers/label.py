"""Class labels as embeddings, with one row more for «no label»."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from genwright.core.shapes import NO_LABEL


class LabelEmbedding(nn.Module):
    """(n,) labels -> (n, size). NO_LABEL, and a share `drop` of the labels while training, gets a row of its own
    (classifier-free guidance, Ho and Salimans 2022)."""

    def __init__(self, classes: int, size: int, drop: float = 0.0) -> None:
        super().__init__()
        self.classes, self.drop = classes, drop
        self.table = nn.Embedding(classes + 1, size)

    def forward(self, labels: Tensor) -> Tensor:
        rows = torch.where(labels == NO_LABEL, self.classes, labels)
        if self.training and self.drop:
            rows = torch.where(torch.rand(len(rows), device=rows.device) < self.drop, self.classes, rows)
        return self.table(rows)  # type: ignore[no-any-return]
