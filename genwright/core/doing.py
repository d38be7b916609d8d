"""What long work is doing, told by it to whoever shows it; nothing where nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")
Listener = Callable[[str, int, int], None]
"""Told in words what is being done, how much of it is done, and how much there is to do."""
_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let work within the block tell `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def telling(what: str, items: Iterable[T], total: int) -> Iterator[T]:
    """The items, and at each, before it is worked on, what is being done."""
    listener = _listener.get()
    for done, item in enumerate(items):
        if listener is not None:
            listener(what, done, total)
        yield item
