"""What can be said of a recipe's models before there are data: signatures in outline, and the bounds that none could meet."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from genwright.core.errors import nearest
from genwright.core.record import Part
from genwright.core.shapes import Label, Port, Shape, Signature
from genwright.data.dataset import named
from genwright.data.derivations.base import derivations
from genwright.data.modalities.base import build
from genwright.data.view import Derived
from genwright.evaluation.metrics.base import metrics, split
from genwright.recipes.members import Member


def shapes(recorded: Mapping[str, Part], derived: Mapping[str, Derived]) -> dict[str, Shape]:
    """Shapes of a recipe's columns in outline: sizes that are learned from data are placeholders. What a model encodes is
    not among them, nor what is made of it. Raises ModelError for a derivation of columns that it does not take."""
    found = {name: one for name, part in recorded.items() if (one := build(part).outline) is not None}
    waiting = dict(derived)
    while ready := [name for name, one in waiting.items() if found.keys() >= set(one.of)]:
        for name in ready:
            rule = waiting.pop(name)
            kind = derivations.get(rule.part.kind)
            if not kind.needs_model:
                parts = kind(kind.Options.model_validate(rule.part.options)).shapes([found[of] for of in rule.of])
                found |= {named(name, part): shape for part, shape in parts.items()}
    return found


def signature(member: Member, known: Mapping[str, Shape], given: Collection[str]) -> Signature | None:
    """What a model makes from these columns, in outline; None where not all of it is known."""
    makes = member.view.makes
    if not known.keys() >= {*given, *([makes] if makes is not None else [])}:
        return None
    ports = {name: Port(shape=known[name], optional=member.view.given[name].optional) for name in given}
    return Signature(makes=None if makes is None else known[makes], given=ports)


def impossible(recorded: Mapping[str, Part], member: Member) -> list[str]:
    """The tasks of a model that give what it is not given, and the bounds that can never be taken, a sentence each. Raises
    ModelError like `shapes`."""
    there = member.view.given
    found = [
        f"the task {task.name} gives {name}, which {member.name} is not given{nearest(name, there)}; it is given: "
        f"{', '.join(there) or 'nothing'}"
        for task in member.tasks
        for name in task.given
        if name not in there
    ]
    if found:
        return found
    asked = {task.name if place else "": task.given for place, task in enumerate(member.tasks)} or {"": list(there)}
    known = shapes(recorded, member.view.derived)
    labelled = any(isinstance(known.get(name), Label) for name in recorded)
    return [problem for key in member.accept if (problem := _untakable(key, member, known, asked, labelled)) is not None]


def _untakable(
    key: str, member: Member, known: Mapping[str, Shape], asked: Mapping[str, list[str]], labelled: bool
) -> str | None:
    """None, or why a bound can never be taken. `asked` are the columns that each task gives; `labelled` says whether items
    have a label."""
    name, task = split(key)
    if task not in asked:
        if member.tasks and task == member.tasks[0].name:
            return f"{key}: {task} is the first task, whose measures are called by their names alone: say {name}"
        there = ", ".join(filter(None, asked)) or "none besides the first"
        return f"{key}: {member.name} has no task {task!r}{nearest(task, asked)}; tasks: {there}"
    made, metric = signature(member, known, asked[task]), metrics.get(name)
    if metric.labelled and not labelled:
        return f"{key} can never be taken of {member.name}: {name} needs items with a label, and no column is one"
    reason = None if made is None else metric.suits(made)
    if made is None or reason is None:
        return None
    others = ", ".join(one for one, metric in metrics.all().items() if metric.suits(made) is None) or "none"
    return f"{key} can never be taken of {member.name}: {name} {reason}; measures that suit it: {others}"
