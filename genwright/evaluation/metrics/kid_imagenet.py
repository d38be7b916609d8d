"""Kernel Inception distance (Binkowski et al. 2018) by a network that was trained on ImageNet, where that is installed."""

from __future__ import annotations

from genwright.evaluation import pretrained
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.metrics.kid import Kid


@metrics.register
class KidImagenet(Kid):
    """As `kid`, in features of `evaluation/pretrained.py`. A measure of its own, so that the two are never held against each
    other: a gate names one of them, and a champion is compared by the same."""

    name = "kid_imagenet"
    explain = "How far the samples are from unseen real pictures to a network that knows ImageNet; about 0 for more real ones."
    look = pretrained.EFFICIENTNET

    @classmethod
    def lacks(cls, evaluand: Evaluand) -> str | None:
        return pretrained.lacks()
