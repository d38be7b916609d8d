"""Measuring a model on held-out items: one measure during training, all of them on the test split afterwards."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from genwright import __version__
from genwright.core.errors import TrainingError
from genwright.core.record import fingerprint
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.metrics.base import metrics
from genwright.evaluation.records import Evaluation, EvaluationSpec, Measured
from genwright.models import bundle
from genwright.models.architectures.base import Architecture
from genwright.models.device import choose
from genwright.models.records import Plan


def evaluand(
    model: Architecture, dataset: Dataset, *, side: str, count: int, sampling: dict[str, Any], seed: int, device: str
) -> Evaluand:
    """A model ready to be measured on one side of a data set."""
    return Evaluand(
        model=model,
        dataset=dataset,
        held=side,
        count=count,
        seed=seed,
        options=model.Options.model_validate(sampling),
        device=device,
    )


def score(model: Architecture, dataset: Dataset, plan: Plan, *, side: str, device: str) -> Measured:
    """The plan's measure on `plan.samples` samples or items. Raises TrainingError where it cannot be taken."""
    subject = evaluand(model, dataset, side=side, count=plan.samples, sampling=plan.sampling, seed=plan.seed, device=device)
    metric = metrics.get(plan.measure)()
    reason = metric.applies(subject)
    if reason is not None:
        raise TrainingError(f"{plan.measure} cannot be measured during training: {reason}")
    with torch.no_grad():
        return metric.measure(subject)


def held_out_losses(
    model: Architecture, dataset: Dataset, plan: Plan, device: str, items: int = 256
) -> tuple[float | None, float | None]:
    """Loss on training and on validation items, the same items and noise every time; (None, None) with several players."""
    if model.players != ("model",):
        return None, None
    training = model.training
    model.eval()
    means = []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for split in (dataset.train, dataset.validation):
            torch.manual_seed(plan.seed)
            size = min(items, split.units, plan.batch_size)
            rounds = max(1, min(items, split.units) // size)
            losses = [model.loss(split.batch(size, plan.seed, i).to(device), "model").item() for i in range(rounds)]
            means.append(sum(losses) / len(losses))
    model.train(training)
    return means[0], means[1]


def evaluate(
    folder: Path,
    dataset: Dataset,
    spec: EvaluationSpec,
    settings: Settings,
    *,
    only: Collection[str] | None = None,
    share: float = 1.0,
) -> Evaluation:
    """Every measure that suits the model (or those in `only`), on the test split, with intervals; the model samples as its
    own plan says. A measure that cannot be taken is listed with its reason: too few held-out items, or not of this kind.
    `share`: see Evaluand."""
    began = time.monotonic()
    device = str(choose(settings))
    loaded = bundle.load(folder, device)
    sampling = loaded.info.plan.sampling
    count = max(spec.samples, round(min(spec.samples, len(dataset.test)) / share))
    subject = evaluand(loaded.model, dataset, side="test", count=count, sampling=sampling, seed=spec.seed, device=device)
    subject.share = share
    measures: dict[str, Measured] = {}
    unmeasured: dict[str, str] = {}
    for name, kind in metrics.all().items():
        if only is not None and name not in only:
            continue
        metric = kind()
        reason = metric.applies(subject)
        if reason is None and len(dataset.test) < metric.minimum:
            reason = f"needs {metric.minimum} test items, there are {len(dataset.test)}"
        if reason is not None:
            unmeasured[name] = reason
            continue
        with torch.no_grad():
            measures[name] = metric.measure(subject)
    return Evaluation(
        model=loaded.weights,
        evaluation_set=evaluation_set(dataset, spec),
        code=__version__,
        measures=measures,
        unmeasured=unmeasured,
        seconds=time.monotonic() - began,
    )


def evaluation_set(dataset: Dataset, spec: EvaluationSpec) -> str:
    """Fingerprint of what a model is measured on: the test items, how many samples, from which seed."""
    return fingerprint([d.decode() for d in dataset.test.digests.tolist()], spec)
