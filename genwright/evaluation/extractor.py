"""A learned look at pictures, for the distances that the literature quotes: needs no download, and knows nothing of any model.

One layer of patch filters learned without labels (Coates, Ng and Lee 2011): patches of the training pictures, each set to
mean 0 and deviation 1 and whitened, are clustered; a picture is how near its patches come to each centre, averaged over its
quarters, at its own size and at half of it. Of that the principal components over the training pictures are kept, so that a
distance over a few hundred items means something. It is learned from the training split once for a data version, then frozen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genwright.core.shapes import Signal
from genwright.data.feed import Side
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.look import Look

LARGEST = 64  # pixels a side; larger pictures are averaged down
PATCH = 6  # pixels a side
CENTRES = 96  # clusters of patches at either scale
COMPONENTS = 64
MANY = 40  # pixels a side
LEARNED = 2000  # training pictures it is learned from
PATCHES = 40_000  # that are clustered
PIECE = 64  # pictures looked at together
FLAT = 0.1  # added to the variance of a patch: noise that nobody sees is no contrast
SMALLEST = 0.1  # added to the variance along a direction before whitening


@dataclass(frozen=True)
class Scale:
    """Filters at one size of the picture. `mean` (d,) and `whitening` (d, d) of patches, `centres` (k, d)."""

    mean: Tensor
    whitening: Tensor
    centres: Tensor

    def __call__(self, pictures: Tensor) -> Tensor:
        """(n, 4 k) of pictures (n, channels, rows, columns): how near each quarter comes to each centre (the triangle
        activation: nearer than to the mean centre counts)."""
        n, _, rows, columns = pictures.shape
        patches = (_normal(_patches(pictures)) - self.mean) @ self.whitening
        away = torch.cdist(patches, self.centres)
        near = (away.mean(dim=-1, keepdim=True) - away).clamp_min(0)
        near = near.transpose(1, 2).reshape(n, -1, *((a - PATCH) // _stride(pictures) + 1 for a in (rows, columns)))
        return F.adaptive_avg_pool2d(near, 2).flatten(1)


@dataclass(frozen=True)
class Extractor:
    """Pictures (n, channels, rows, columns) in [-1, 1] to features (n, d) of mean 0 over the training pictures, whose variances
    add up to d."""

    scales: tuple[Scale, ...]
    mean: Tensor
    basis: Tensor

    def __call__(self, pictures: Tensor) -> Tensor:
        return torch.cat([(self._raw(piece) - self.mean) @ self.basis for piece in torch.split(pictures, PIECE)])

    def _raw(self, pictures: Tensor) -> Tensor:
        sizes = zip(self.scales, _sizes(pictures), strict=False)
        return torch.cat([scale(picture) for scale, picture in sizes], dim=1)

    @property
    def tensors(self) -> dict[str, Tensor]:
        found = {"mean": self.mean, "basis": self.basis}
        for place, scale in enumerate(self.scales):
            found |= {f"{name} {place}": value for name, value in vars(scale).items()}
        return found

    @classmethod
    def of(cls, tensors: dict[str, Tensor]) -> Extractor:
        count = sum(name.startswith("centres") for name in tensors)
        scales = (Scale(*(tensors[f"{name} {place}"] for name in ("mean", "whitening", "centres"))) for place in range(count))
        return cls(tuple(scales), tensors["mean"], tensors["basis"])


def learn(train: Side) -> Extractor:
    """The extractor of the training pictures."""
    rows = np.sort(train.subset(LEARNED))
    pictures = train.contents(rows)
    scales = tuple(_scale(sized) for sized in _sizes(pictures))
    plain = Extractor(scales, torch.zeros(()), torch.eye(sum(4 * len(scale.centres) for scale in scales)))
    features = plain(pictures).double()
    mean = features.mean(dim=0)
    values, vectors = torch.linalg.eigh((features - mean).T @ (features - mean) / max(1, len(features) - 1))
    d = min(COMPONENTS, len(features) - 1, len(values))
    scale = (values[-d:].clamp_min(0).sum() / d).sqrt().clamp_min(1e-6)
    return Extractor(scales, mean.float(), (vectors[:, -d:] / scale).float())


class PatchFilters(Look):
    """Through the extractor of the training items of what is measured."""

    name, shown, imitated = "patch filters", 2000, 500

    def extractor(self, evaluand: Evaluand) -> Extractor:
        learned = evaluand.data.tensors(self.name, lambda: learn(evaluand.dataset.train).tensors)
        return evaluand.data.once("extractor", lambda: Extractor.of(learned))

    def described(self, evaluand: Evaluand) -> dict[str, str | int]:
        makes = evaluand.signature.makes
        assert isinstance(makes, Signal)
        small = tuple(min(a, LARGEST) for a in makes.axes)
        return {
            "extractor": f"patch filters learned from {min(LEARNED, len(evaluand.dataset.train))} training pictures",
            "resized": "not" if small == makes.axes else f"averaged down to {small[0]} x {small[1]}",
        }


PATCH_FILTERS = PatchFilters()


def _sizes(pictures: Tensor) -> Iterator[Tensor]:
    """The pictures, at most LARGEST a side, and halved where a patch still is a small part of them."""
    axes = (min(pictures.shape[2], LARGEST), min(pictures.shape[3], LARGEST))
    pictures = pictures if axes == tuple(pictures.shape[2:]) else F.adaptive_avg_pool2d(pictures, axes)
    yield pictures
    if min(axes) >= 4 * PATCH:
        yield F.avg_pool2d(pictures, 2)


def _patches(pictures: Tensor) -> Tensor:
    """(n, places, channels x side x side)."""
    return F.unfold(pictures, PATCH, stride=_stride(pictures)).transpose(1, 2)


def _stride(pictures: Tensor) -> int:
    """Pixels between patches: each, or every other one where there are many."""
    return 1 if max(pictures.shape[2:]) <= MANY else 2


def _normal(patches: Tensor) -> Tensor:
    """Every patch with mean 0 and deviation 1; a flat one stays nearly nothing."""
    centred = patches - patches.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(dim=-1, keepdim=True) + FLAT).sqrt()


def _scale(pictures: Tensor) -> Scale:
    from sklearn.cluster import MiniBatchKMeans

    generator = torch.Generator().manual_seed(0)
    each = max(1, PATCHES // len(pictures))
    found = []
    for start, stop in pairwise([*range(0, len(pictures), PIECE), len(pictures)]):
        patches = _patches(pictures[start:stop])
        places = torch.randint(patches.shape[1], (len(patches), each), generator=generator)
        found.append(patches.gather(1, places[..., None].expand(-1, -1, patches.shape[2])).flatten(0, 1))
    patches = _normal(torch.cat(found)[:PATCHES])
    mean = patches.mean(dim=0)
    values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
    whitening = vectors @ torch.diag((values.clamp_min(0) + SMALLEST).rsqrt()) @ vectors.T
    white = ((patches - mean) @ whitening).numpy()
    clusters = min(CENTRES, len(np.unique(white, axis=0)))
    centres = MiniBatchKMeans(clusters, random_state=0, n_init=1, batch_size=2048, max_iter=30).fit(white).cluster_centers_
    return Scale(mean, whitening, torch.from_numpy(centres.astype(np.float32)))
