"""The numbers of the ledger's entries that one request has made and kept, so that its answer can name them."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOTED: ContextVar[list[int] | None] = ContextVar("noted", default=None)


@contextmanager
def noting() -> Iterator[list[int]]:
    """Collect the numbers of all entries that this context, and the tasks and threads it starts, commits."""
    found: list[int] = []
    token = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(token)


def kept(numbers: list[int]) -> None:
    """Note numbers of entries whose transaction was committed."""
    found = _NOTED.get()
    if found is not None:
        found.extend(numbers)
