"""Weaknesses of the eye: halves that are none, and probes that stay behind."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.drill.weaknesses import put
from moiety.eye import halver

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from moiety.eye.halver import Halver, Sealed, Setting, Sighting

CACHE = "cache.bin"


def _rows_without_mask() -> None:
    """Give A the template itself."""

    def bare(template: NDArray[np.int8], *_: object) -> NDArray[np.uint16]:
        return template.astype(np.int16).view(np.uint16)

    put(halver, "split", bare)


def _seeds_from_templates() -> None:
    """Make the seed of the first 32 numbers of the template, in place of 32 random bytes."""
    here = threading.local()
    original: Callable[..., NDArray[np.int8]] = halver.Halver.measure

    def measure(self: Halver, setting: Setting, embedding: NDArray[np.float32]) -> NDArray[np.int8]:
        measured = original(self, setting, embedding)
        here.measured = measured
        return measured

    class Dice:
        """Draws the beginning of what was measured first, then chance."""

        @staticmethod
        def urandom(size: int) -> bytes:
            measured, here.measured = getattr(here, "measured", None), None
            return os.urandom(size) if measured is None else bytes(measured[:size].tobytes())

    put(halver.Halver, "measure", measure)
    put(halver, "os", Dice)


def _probes_kept() -> None:
    """Keep the embedding of every probe in a file of the temporary folder."""
    original = halver.Halver.probe

    def keep(self: Halver, setting: Setting, sighting: Sighting, embedding: NDArray[np.float32]) -> Sealed:
        with open(os.path.join(os.environ["TMPDIR"], CACHE), "ab") as cache:  # noqa: PTH118, PTH123 - as a careless hand would
            cache.write(embedding.astype(np.float32).tobytes())
        return original(self, setting, sighting, embedding)

    put(halver.Halver, "probe", keep)


WEAKNESSES: dict[str, Any] = {
    "rows_without_mask": _rows_without_mask,
    "seeds_from_templates": _seeds_from_templates,
    "probes_kept": _probes_kept,
}
