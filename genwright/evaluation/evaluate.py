"""Measuring a model on held-out items: one measure during training, all of them on the test split afterwards."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from genwright import __version__
from genwright.core.doing import telling
from genwright.core.errors import NotFinite, TrainingError
from genwright.core.record import fingerprint
from genwright.core.workspace import Settings
from genwright.data.dataset import Dataset
from genwright.evaluation import kept
from genwright.evaluation.evaluand import Evaluand
from genwright.evaluation.memo import Memo
from genwright.evaluation.metrics.base import Metric, key_of, metrics, ranked
from genwright.evaluation.records import Evaluation, EvaluationSpec, Measured, Task
from genwright.models import bundle, composition
from genwright.models.architectures.base import Architecture, SampleOptions
from genwright.models.device import prepare
from genwright.models.records import Plan
from genwright.sampling.chain import Wish, granted
from genwright.sampling.graph import Graph
from genwright.sampling.opened import opened
from genwright.sampling.sampler import Ask, drawn

SLOTS = 128  # samples that are drawn together
LOSS_ITEMS = 256  # of the training side, and of the validation side, whose loss is taken during training


def evaluand(
    model: Architecture,
    dataset: Dataset,
    *,
    side: str,
    count: int,
    sampling: dict[str, Any],
    seed: int,
    device: str,
    memo: Memo | None = None,
) -> Evaluand:
    """A model ready to be measured on one side of a data set."""
    return Evaluand(
        signature=model.signature,
        dataset=dataset,
        held=side,
        count=count,
        seed=seed,
        options=model.Options.model_validate(sampling),
        draw=lambda asks: drawn(model, asks, min(SLOTS, len(asks))),
        model=model,
        device=device,
        memo=memo,
    )


def composed(graph: Graph, dataset: Dataset, *, side: str, count: int, seed: int, device: str) -> Evaluand:
    """Several models that make something together, ready to be measured as a whole."""
    options = {key: one.model.Options.model_validate(one.info.plan.sampling) for key, one in graph.members.items()}

    def draw(asks: Sequence[Ask]) -> Tensor:
        wishes = [Wish(ask.key, options, ask.given, ask.start, ask.keep) for ask in asks]
        return torch.stack(granted(graph, wishes, min(SLOTS, len(asks)), device))

    return Evaluand(dataset.signature, dataset, side, count, seed, SampleOptions(), draw, judges=graph.judges, device=device)


class Scored(NamedTuple):
    """A measure, and the first samples that it asked for; None where it asked for none."""

    measured: Measured
    samples: Tensor | None


def score(model: Architecture, dataset: Dataset, plan: Plan, *, side: str, device: str, memo: Memo | None = None) -> Scored:
    """The plan's measure on `plan.samples` samples or items, given what it says. `memo` is what earlier measures found
    out about the data. Raises TrainingError where it cannot be taken, NotFinite where the model is no result."""
    subject = evaluand(
        model, dataset, side=side, count=plan.samples, sampling=plan.sampling, seed=plan.seed, device=device, memo=memo
    )
    subject = replace(subject, signature=subject.signature.asked(plan.asked))
    metric = metrics.get(plan.measure)()
    reason = metric.applies(subject)
    if reason is not None:
        raise TrainingError(f"{plan.measure} cannot be measured during training: {reason}")
    with torch.no_grad():
        measured = metric.measure(subject)
    if not measured.finite:
        raise NotFinite(f"{plan.measure} is {measured.value}, which is no number.")
    return Scored(measured, subject.samples if subject.drawn else None)


def held_out_losses(
    model: Architecture, dataset: Dataset, plan: Plan, device: str, items: int = LOSS_ITEMS
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
            batches = (split.batch(size, plan.seed, i, model.sought(dataset.signature)) for i in range(rounds))
            losses = [model.loss(batch.to(device), "model").item() for batch in batches]
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
    uses: Mapping[str, Path] | None = None,
    samples: Path | None = None,
) -> Evaluation:
    """Every measure that suits the model (or those in `only`, by key), for every task, on the test split, with intervals; the
    model samples as its own plan says. A measure that cannot be taken is listed with its reason: too few held-out items, or
    not of this kind. `share`: see Evaluand; `uses`: where the versions lie that it pins; `samples`: the file that the samples
    are kept in (see `kept`)."""
    began = time.monotonic()
    device = str(prepare(settings))
    count = max(spec.samples, round(min(spec.samples, len(dataset.test)) / share))
    subject = opened_evaluand(folder, dataset, uses or {}, count=count, seed=spec.seed, device=device)
    subjects = tasked(replace(subject, share=share, memo=Memo.of(dataset, settings)), spec.tasks)
    found = {key: one for asked, reason in subjects for key, one in measures(asked, reason, only).items()}
    identity, items = composition.identity(folder), evaluation_set(dataset, spec)
    if samples is not None:
        kept.keep(samples, [asked for asked, _ in subjects], identity, items)
    return Evaluation(
        faults=list(dict.fromkeys(str(one) for one in found.values() if isinstance(one, Fault))),
        model=identity,
        evaluation_set=items,
        code=__version__,
        compared_by=ranked(subjects[0][0].signature).name,
        measures={key: one for key, one in found.items() if isinstance(one, Measured)},
        unmeasured={key: one for key, one in found.items() if isinstance(one, str)},
        seconds=time.monotonic() - began,
    )


def tasked(subject: Evaluand, tasks: Sequence[Task]) -> list[tuple[Evaluand, str | None]]:
    """The same for each task, the first one without a name, and why it cannot be asked for where the model does not know
    what is given; without tasks it is asked with everything that is given."""
    found: list[tuple[Evaluand, str | None]] = []
    ports = subject.signature.given
    for place, task in enumerate(tasks):
        unknown = [name for name in task.given if name not in ports]
        asked = subject.signature.asked(task.given)
        reason = f"the model is not given {', '.join(unknown)}" if unknown else None
        found.append((replace(subject, signature=asked, task=task.name if place else ""), reason))
    return found or [(subject, None)]


class Fault(str):
    """Why a measure could not be taken, where that says that the model is no result."""

    __slots__ = ()


def measures(subject: Evaluand, unasked: str | None = None, only: Collection[str] | None = None) -> dict[str, Measured | str]:
    """The measures of a task, or why they cannot be taken, by key."""
    items = len(subject.held_out)
    found: dict[str, Measured | str] = {}
    kinds = metrics.all()
    for name, kind in telling("measuring", kinds.items(), len(kinds)):
        key = key_of(name, subject.task)
        if only is not None and key not in only:
            continue
        metric = kind()
        few = f"needs {metric.minimum} test items, there are {items}" if items < metric.minimum else None
        with torch.no_grad():
            found[key] = unasked or metric.applies(subject) or few or _taken(metric, subject)
    return found


def _taken(metric: Metric, subject: Evaluand) -> Measured | Fault:
    try:
        measured = metric.measure(subject)
    except NotFinite as error:
        return Fault(error.what)
    return (
        measured if measured.finite else Fault(f"{key_of(metric.name, subject.task)} is {measured.value}, which is no number.")
    )


def opened_evaluand(
    folder: Path, dataset: Dataset, uses: Mapping[str, Path], *, count: int, seed: int, device: str
) -> Evaluand:
    """What lies in a folder, a model or a composition, ready to be measured on the test split as its own plan samples."""
    if composition.is_composition(folder):
        return composed(opened(folder, uses, device), dataset, side="test", count=count, seed=seed, device=device)
    one = bundle.load(folder, device)
    return evaluand(one.model, dataset, side="test", count=count, sampling=one.info.plan.sampling, seed=seed, device=device)


def evaluation_set(dataset: Dataset, spec: EvaluationSpec) -> str:
    """Fingerprint of what a model is measured on: the test items in all their columns, how many samples, from which seed."""
    return fingerprint([[digest.decode() for digest in item] for item in dataset.test.digests.tolist()], spec)
