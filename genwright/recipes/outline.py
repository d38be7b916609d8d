"""What can be said of a recipe's models before there are data: signatures in outline, and the bounds that none could meet."""

from __future__ import annotations

from collections.abc import Mapping

from genwright.core.record import Part
from genwright.core.shapes import Port, Shape, Signature
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


def signature(member: Member, known: Mapping[str, Shape]) -> Signature | None:
    """What a model makes from what, in outline; None where not all of it is known."""
    makes, given = member.view.makes, member.view.given
    if not known.keys() >= {*given, *([makes] if makes is not None else [])}:
        return None
    ports = {name: Port(shape=known[name], optional=wanted.optional) for name, wanted in given.items()}
    return Signature(makes=None if makes is None else known[makes], given=ports)


def impossible(recorded: Mapping[str, Part], member: Member) -> list[str]:
    """The bounds of a model that can never be taken, a sentence each. Raises ModelError like `shapes`."""
    made = signature(member, shapes(recorded, member.view.derived))
    if made is None:
        return []
    suited = [name for name, metric in metrics.all().items() if metric.suits(made) is None]
    found = []
    for key in member.accept:
        name, _ = split(key)
        if name not in suited:
            reason, others = metrics.get(name).suits(made), ", ".join(suited) or "none"
            found.append(f"{key} can never be taken of {member.name}: {name} {reason}; measures that suit it: {others}")
    return found
