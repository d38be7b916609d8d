"""What may lead to a retraining. One file each in `triggers/`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from genwright.core.plugins import Plugins
from genwright.core.record import Record

if TYPE_CHECKING:
    from genwright.lifecycle.watch import Watched


class Finding(Record):
    """What a trigger found. `value` is held against `bound` where both are known."""

    trigger: str
    fired: bool
    why: str
    value: float | None = None
    bound: float | None = None


class Trigger(ABC):
    """A reason to retrain, with validated options. It measures, and changes nothing."""

    name: ClassVar[str]
    Options: ClassVar[type[Record]]

    def __init__(self, options: Record) -> None:
        self.options = options

    @abstractmethod
    def check(self, watched: Watched) -> Finding:
        """Whether to retrain now, and why, in words for a person. Raises DataError when the sources cannot be read."""

    def found(self, fired: bool, why: str, value: float | None = None, bound: float | None = None) -> Finding:
        """A finding of this trigger."""
        return Finding(trigger=self.name, fired=fired, why=why, value=value, bound=bound)


triggers: Plugins[Trigger] = Plugins("triggers", "genwright.triggers")
