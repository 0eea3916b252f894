"""The weaknesses that a part can be given for a control run, by name. Each takes one protection away, or plants a leak.

They are patches of a running process and stand nowhere in the product: see `weakened`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def apply(name: str) -> None:
    """Weaken this process.

    Raises:
        KeyError: there is no weakness of this name.

    """
    where, _, what = name.partition(":")
    table: dict[str, Callable[[], None]] = import_module(f"moiety.drill.{where}").WEAKNESSES
    table[what]()


def put(where: Any, name: str, value: object) -> None:
    """Replace a function or a method of the product in this process.

    Raises:
        AttributeError: there is nothing of this name any more: the weakness must follow the product.

    """
    getattr(where, name)
    setattr(where, name, value)
