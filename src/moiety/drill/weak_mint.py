"""A mint that is no longer ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from moiety.drill.weaknesses import put
from moiety.mint.dealer import Dealer

if TYPE_CHECKING:
    from numpy.typing import NDArray


def _false_words() -> None:
    """Deal bits that have nothing to do with what the vaults draw."""

    def false(_: Dealer, __: object, gammas: NDArray[np.uint64]) -> None:
        gammas[:] = np.frombuffer(os.urandom(gammas.nbytes), np.uint64).reshape(gammas.shape)

    put(Dealer, "_make", false)


WEAKNESSES: dict[str, Any] = {"false_words": _false_words}
