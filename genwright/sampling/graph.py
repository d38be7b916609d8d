"""How a column comes about from what is given: read, derived from others, or made by a model. One way for the command line,
evaluation and servers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from genwright.core.batch import Given
from genwright.core.draws import Draws
from genwright.core.errors import ModelError
from genwright.core.record import Record
from genwright.core.shapes import Shape
from genwright.data.dataset import Making
from genwright.data.modalities.base import Modality
from genwright.data.view import View, main_of
from genwright.models.architectures.base import Architecture
from genwright.models.bundle import Bundle, column_of
from genwright.models.layers.conditioning import fitted


class Step(Record):
    """One step towards a column: `derive` it from others, `make` it by a model (a member's key), or get it `back` from a
    column that was derived from it."""

    column: str
    how: str
    by: str
    of: list[str]

    @property
    def words(self) -> str:
        """For a person."""
        given = f" given {', '.join(self.of)}" if self.of else ""
        by = f" by {self.by}" if self.by else ""
        return {"make": f"make {self.column}{by}{given}", "derive": f"derive {self.column} from {', '.join(self.of)}"}.get(
            self.how, f"get {self.column} back from {', '.join(self.of)}"
        )


@dataclass(frozen=True)
class Graph:
    """Columns and what makes them. `members` come in the order in which they were made, `makes` is the column that is wanted
    in the end."""

    recorded: Mapping[str, Modality]
    makings: Mapping[str, Making]
    members: Mapping[str, Bundle]
    view: View
    makes: str

    def resolve(self, goal: str, given: Collection[str]) -> list[Step]:
        """The steps to a column from those given. Raises ModelError naming what is missing."""
        steps = self._resolve(goal, frozenset(given), frozenset(), again=True)
        if steps is None:
            wanted = sorted({name for bundle in self.members.values() for name in bundle.info.view.given})
            raise ModelError(
                f"{goal} cannot be made from what is given.",
                got=", ".join(sorted(given)) or "nothing",
                allowed=f"what leads to {', '.join(wanted)}" if wanted else None,
                do="`genwright show NAME` says what each task needs",
            )
        return steps

    def _resolve(self, goal: str, given: frozenset[str], trying: frozenset[str], *, again: bool = False) -> list[Step] | None:
        """`again`: the goal is made anew although it is given (a picture that is completed)."""
        if goal in given and not again:
            return []
        if goal in trying:
            return None
        for step, optional in self._ways(goal):
            found: list[Step] = []
            used: list[str] = []
            for name in step.of:
                before = self._resolve(name, given, trying | {goal})
                if before is None and name not in optional:
                    break
                if before is not None:
                    found += [one for one in before if one not in found]
                    used.append(name)
            else:
                return [*found, step.model_copy(update={"of": used})]
        return None

    def _ways(self, goal: str) -> Iterator[tuple[Step, set[str]]]:
        """The ways to a column, the last model first, each with what it can do without."""
        for key, bundle in reversed(list(self.members.items())):
            made, ports = bundle.info.view.makes, bundle.info.signature.given
            optional = {name for name, port in ports.items() if port.optional or port.drop}
            step = Step(column=made or "", how="make", by=key, of=sorted(ports))
            if made == goal:
                yield step, optional
            elif made is not None and (main := main_of(made, self.makings)) is not None:
                making = self.makings[main]
                if list(making.of) == [goal] and making.invertible and len(making.shapes) == 1:
                    yield Step(column=goal, how="back", by=main, of=[made]), set()
        main = main_of(goal, self.makings)
        if main is not None:
            yield Step(column=goal, how="derive", by=main, of=list(self.makings[main].of)), set()

    @property
    def judges(self) -> dict[str, Architecture]:
        """The members that make nothing and by which nothing is made."""
        by = {derived.part.options.get("by") for derived in self.view.derived.values()}
        return {key: one.model for key, one in self.members.items() if one.info.view.makes is None and key not in by}

    def shape(self, name: str) -> Shape | None:
        """The shape of a column; None where there is none of that name."""
        if name in self.recorded:
            return self.recorded[name].shape
        main = main_of(name, self.makings)
        return None if main is None else self.makings[main].shapes.get(name)

    def reader(self, name: str) -> Modality | None:
        """How a column is read and written; None where it is no file by itself."""
        return column_of(name, self.view, self.recorded, self.shape(name))

    @property
    def last(self) -> Bundle:
        """The member that makes what is wanted in the end."""
        steps = self.resolve(self.makes, {name for one in self.members.values() for name in one.info.signature.given})
        made = [step.by for step in steps if step.how == "make"]
        return self.members[made[-1]]

    def hides(self, name: str) -> bool:
        """Whether a column is what is left of the one that is made, or says where."""
        main = main_of(name, self.makings)
        return main is not None and self.makings[main].derivation.hides and list(self.makings[main].of) == [self.makes]

    def follows(self, name: str) -> bool:
        """Whether a column that a member is given is derived from what another makes."""
        main = main_of(name, self.makings)
        others = {one.info.view.makes for one in self.members.values() if name not in one.info.signature.given}
        return main is not None and others.issuperset(self.makings[main].of)

    def friendly(self, name: str) -> Literal["image", "sketch", "reference"]:
        """What a person calls a picture that a model is given: a recorded one by its own name, where that is one of these."""
        main = main_of(name, self.makings)
        if main is None:
            return "sketch" if name == "sketch" else "image"
        return self.makings[main].derivation.friendly

    def origin(self, name: str) -> str | None:
        """The column of which another is a code that has no way back; None for a column that is no such code."""
        main = main_of(name, self.makings)
        if main is None or self.makings[main].derivation.model is None or self.makings[main].invertible:
            return None
        return self.makings[main].of[0]

    def coded(self, name: str, row: Tensor) -> Tensor:
        """The code of a row of what it is a code of."""
        main, device = main_of(name, self.makings), next(self.last.model.parameters()).device
        assert main is not None
        return self.makings[main].derive([Given.all(row[None].to(device))], Draws([(0,)]))[name].value[0].cpu()

    def hidden(self, start: Tensor, keep: Tensor) -> dict[str, Tensor]:
        """What models that complete are given of a start that stays where `keep` is 1."""
        found: dict[str, Tensor] = {}
        for main, making in self.makings.items():
            if self.hides(main):
                found |= {name: given.value[0] for name, given in making.hide(start[None], keep[None]).items()}
        return found

    def begun(self, column: str, start: Tensor, keep: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """A start of what is wanted in the end as one of `column`, which a model makes on the way: encoded where that is a
        code. A place of the code stays where all of what it stands for does, and knows nothing of what is hidden beside it."""
        if column == self.makes:
            return start, keep
        main = main_of(column, self.makings)
        if main is None or list(self.makings[main].of) != [self.makes]:
            raise ModelError(f"{column} cannot begin from {self.makes}.", do="leave out what it should begin from")
        code = self.coded(column, start)
        if keep is None:
            return code, None
        stays = (fitted(keep[None], tuple(code.shape[1:]))[0] >= 1).float()
        return torch.where(stays > 0, self.coded(column, start * keep), code), stays
