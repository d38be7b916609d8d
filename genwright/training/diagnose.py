"""What went wrong in a round, and the one change that answers it. Every finding names its evidence.

The order matters: what makes other signs meaningless (memory, divergence) is asked first, and a model that passes every
gate is good whatever its curves look like.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from genwright.data.dataset import Dataset
from genwright.evaluation.bounds import absolute
from genwright.evaluation.metrics.base import metrics, split
from genwright.evaluation.records import Evaluation, Measured
from genwright.models import cost
from genwright.models.architectures.base import architectures, build_model
from genwright.models.records import Candidate, Plan
from genwright.recipes.members import Member
from genwright.training.held_out import kept_by
from genwright.training.plan import evaluated
from genwright.training.records import CurvePoint, Diagnosis, TrainedModel

IMPROVING = 0.01  # share by which the held-out measure still moved at the end for «under-trained»
RISEN = 0.05  # share by which the held-out loss rose above its lowest for «overfitted»


def diagnose(trained: TrainedModel, evaluation: Evaluation | None, member: Member, dataset: Dataset) -> Diagnosis:
    """The finding of a round and the plan of the next one (None when the rounds are used up or nothing needs changing)."""
    if evaluation is not None:
        verdicts = absolute(evaluation, member.accept)
        if all(v.passed for v in verdicts):
            return Diagnosis(finding="good", evidence="; ".join(v.reason for v in verdicts) or "no bounds are set")
    finding, evidence, changed = _finding(trained, evaluation, member, dataset)
    if trained.plan.round >= member.train.rounds or changed is None:
        return Diagnosis(finding=finding, evidence=evidence)
    change, fields = changed
    told = {"begins": 0, **fields, "round": trained.plan.round + 1, "why": f"{finding}: {change}"}
    plan = trained.plan.model_copy(update=told)
    return Diagnosis(finding=finding, evidence=evidence, change=change, next_plan=_within_budget(plan, trained.plan, member))


Change = tuple[str, dict[str, Any]]


def _finding(
    trained: TrainedModel, evaluation: Evaluation | None, member: Member, dataset: Dataset
) -> tuple[Any, str, Change | None]:
    plan = trained.plan
    if trained.stopped == "out of memory":
        return "out of memory", "memory ran out with one item a micro-batch", _resized(plan, dataset, 0.5)
    if trained.stopped == "diverged":
        return "diverged", "updates were not finite, also after two roll-backs", _slowed(plan)
    if evaluation is not None and evaluation.faults:
        return "diverged", "; ".join(evaluation.faults), _slowed(plan)
    measures = evaluation.measures if evaluation else {}
    copying = _alarms(measures, "memorised")
    if copying:
        return "memorised", copying, _regularised(plan, dataset, shorter=0.5)
    narrow = _alarms(measures, "collapsed")
    if narrow:
        return "collapsed", narrow, _steadied(plan)
    risen = _overfitted(trained.curve)
    if risen:
        return "overfitted", risen, _regularised(plan, dataset, shorter=max(0.3, trained.best_step / plan.steps))
    unfinished = _undertrained(trained)
    if unfinished:
        steps = min(2 * plan.steps, plan.steps + plan.steps_left)
        longer = (f"on to step {steps} from {plan.steps}", {"steps": steps, "begins": plan.steps})
        return "under-trained", unfinished, longer if steps - plan.steps >= plan.steps // 4 else None
    failed = [] if evaluation is None else [v.reason for v in absolute(evaluation, member.accept) if not v.passed]
    return "not good enough", "; ".join(failed), _resized(plan, dataset, 2.0)


def _alarms(measures: dict[str, Measured], sign: str) -> str | None:
    """The first measure's words that is a sign of something and alarming."""
    for name, measured in measures.items():
        metric = metrics.get(split(name)[0])
        if metric.sign == sign and (words := metric.alarm(measured)) is not None:
            return words
    return None


def _overfitted(curve: list[CurvePoint]) -> str | None:
    """Held-out loss past its lowest point while the training loss goes on falling (Prechelt 1998)."""
    points = [(p.step, p.train_loss, p.validation_loss) for p in curve if p.train_loss is not None]
    losses = [(step, train, held) for step, train, held in points if train is not None and held is not None]
    if len(losses) < 3:
        return None
    low = min(losses, key=lambda p: p[2])
    last = losses[-1]
    scale = max(abs(low[2]), abs(losses[0][2] - low[2]), 1e-9)
    if last[2] - low[2] > RISEN * scale and last[1] < low[1]:
        return f"held-out loss rose from {low[2]:.4g} (step {low[0]}) to {last[2]:.4g} while training loss fell"
    return None


def _undertrained(trained: TrainedModel) -> str | None:
    by = kept_by(trained.plan, losses=any(p.validation_loss is not None for p in trained.curve))
    values = [(p.step, value) for p in trained.curve if (value := by.value(p)) is not None]
    if trained.stopped != "budget" or len(values) < 2 or trained.best_step != values[-1][0]:
        return None
    before, last = values[-2][1], values[-1][1]
    if abs(last - before) < IMPROVING * max(abs(before), 1e-9):
        return None
    return f"{by.name} was still improving at the last step ({before:.4g} -> {last:.4g})"


def _regularised(plan: Plan, dataset: Dataset, shorter: float) -> Change:
    """More dropout where the family has any, more weight decay, fewer steps."""
    config, words = dict(plan.candidate.config), []
    if _feels(plan, dataset, nn.Dropout):
        config["dropout"] = min(0.5, round(config.get("dropout", 0.0) + 0.1, 3))
        words.append(f"dropout {config['dropout']:g}")
    decay = max(0.05, 3 * plan.weight_decay)
    steps = max(1, int(plan.steps * shorter))
    words += [f"weight decay {decay:.2g}", f"steps {plan.steps} -> {steps}"]
    candidate = plan.candidate.model_copy(update={"config": config})
    return ", ".join(words), {"candidate": candidate, "weight_decay": decay, "steps": steps}


def _feels(plan: Plan, dataset: Dataset, layer: type[nn.Module]) -> bool:
    """Whether a model of this plan has a layer of that kind."""
    with torch.device("meta"):
        model = build_model(plan.candidate.family, plan.candidate.config, dataset.signature)
    return any(isinstance(module, layer) for module in model.modules())


def _slowed(plan: Plan) -> Change:
    """A quarter of the rate, reached more slowly."""
    rate = plan.learning_rate / 4
    warmup = min(plan.steps // 4, max(20, 2 * plan.warmup))
    change = f"learning rate {plan.learning_rate:.2g} -> {rate:.2g}, longer warm-up"
    return change, {"learning_rate": rate, "warmup": warmup}


def _steadied(plan: Plan) -> Change:
    """Half the rate; families with a gradient penalty get three times as much of it."""
    config, change = dict(plan.candidate.config), f"learning rate {plan.learning_rate:.2g} -> {plan.learning_rate / 2:.2g}"
    if "penalty" in config:
        config["penalty"] *= 3
        change += f", gradient penalty {config['penalty']:g}"
    candidate = plan.candidate.model_copy(update={"config": config})
    return change, {"candidate": candidate, "learning_rate": plan.learning_rate / 2}


def _resized(plan: Plan, dataset: Dataset, factor: float) -> Change | None:
    """Another size of the same family; None when it would be smaller than an eighth or larger than eight times."""
    old, signature = plan.candidate, dataset.signature
    dial = old.dial * factor
    if not 1 / 8 <= dial <= 8:
        return None
    before = architectures.get(old.family).sized(signature, old.dial).model_dump(mode="json")
    config = architectures.get(old.family).sized(signature, dial).model_dump(mode="json")
    config |= {key: value for key, value in old.config.items() if value != before.get(key)}  # what was set stays
    if config == old.config:
        return None
    price = cost.estimate(old.family, config, signature, plan.batch_size)
    candidate = Candidate(family=old.family, dial=dial, config=config, cost=price, batch_size=old.batch_size)
    change = f"size {old.dial:g} -> {dial:g} ({old.cost.parameters:,} -> {price.parameters:,} parameters)"
    return change, {"candidate": candidate}


def _within_budget(plan: Plan, before: Plan, member: Member) -> Plan | None:
    """The plan cut to what the rounds may still take; None when that is next to nothing. A larger model does fewer steps."""
    dearer = max(1.0, plan.candidate.cost.flops_per_item / max(before.candidate.cost.flops_per_item, 1.0))
    own = int(min(plan.steps - plan.begins, plan.steps_left) / dearer)
    if own < 1:
        return None
    steps, left = plan.begins + own, max(0, plan.steps_left - int(own * dearer))
    update = {"steps": steps, "steps_left": left, "warmup": min(plan.warmup, steps // 4)}
    return evaluated(plan.model_copy(update=update), member)
