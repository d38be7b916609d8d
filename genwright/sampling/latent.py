"""Ways through the latent space of a model that encodes and decodes: between two things, and along what tells two kinds apart
(attribute vectors: Larsen et al. 2016; White 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from genwright.core.errors import ModelError
from genwright.data.modalities.base import Modality
from genwright.models.architectures.base import Emits, Encodes
from genwright.sampling import wish
from genwright.sampling.graph import Graph

PIECE = 64  # files encoded together


def walkable(graph: Graph) -> bool:
    """Whether what a graph makes comes of a latent that is found again from what was made."""
    return isinstance(graph.last.model, Encodes) and isinstance(graph.last.model, Emits)


class Space:
    """The latent space of what a graph makes last. Files are given as bytes. Raises ModelError where there is none."""

    def __init__(self, graph: Graph, content: Modality, device: str) -> None:
        model = graph.last.model
        if not (isinstance(model, Encodes) and isinstance(model, Emits)):
            raise ModelError(f"{graph.last.info.family} has no latent space to walk.", do="use a version of family vae")
        self.model: Encodes = model
        self.content, self.device = content, device

    def between(self, a: bytes, b: bytes, n: int) -> Tensor:
        """(n, ...) on the straight line between two things, both ends included."""
        start, end = self._codes([a, b])
        return self._decoded(start + self._steps(0, 1, n, start) * (end - start))

    def along(self, base: bytes, more: Sequence[bytes], less: Sequence[bytes], by: float, n: int) -> Tensor:
        """(n, ...) from a thing towards what tells some things from others: `by` times the way between their means. A single
        one is the end of the way."""
        if not more or not less:
            raise ModelError(
                "What two kinds differ by is told by things of either.", got=f"{len(more)} with it, {len(less)} without it"
            )
        [start] = self._codes([base])
        way = self._codes(more).mean(dim=0) - self._codes(less).mean(dim=0)
        return self._decoded(start + self._steps(0 if n > 1 else by, by, n, start) * way)

    def _steps(self, first: float, last: float, n: int, like: Tensor) -> Tensor:
        return torch.linspace(first, last, n, device=like.device).view(-1, *([1] * like.ndim))

    @torch.no_grad()
    def _codes(self, files: Sequence[bytes]) -> Tensor:
        told = "a file that the way leads by"
        rows = torch.stack([wish.read(told, data, self.content.shape, self.content) for data in files])
        return torch.cat([self.model.encode("content", piece.to(self.device)) for piece in torch.split(rows, PIECE)])

    @torch.no_grad()
    def _decoded(self, codes: Tensor) -> Tensor:
        return torch.cat([self.model.decode("content", piece).cpu() for piece in torch.split(codes, PIECE)])
