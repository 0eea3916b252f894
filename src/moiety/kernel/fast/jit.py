"""How the kernel is compiled: one signature a function, cached on disk, without the GIL.

Signatures take read-only arrays, so bytes from the wire and fresh arrays meet the same compiled code. Numba keeps its
cache in `__pycache__` beside the source, or where that cannot be written in the user's cache folder
(`NUMBA_CACHE_DIR` moves it). The cache is keyed by CPU model and features. It is stamped with its own source file only:
after editing `simd.py` or `tiles.py` delete `__pycache__`, or the old code stays in use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from numba import njit, types
from numba.core.registry import cpu_target

F = TypeVar("F", bound=Callable[..., Any])

_FEATURES = frozenset(cpu_target.target_context.codegen().magic_tuple()[2].split(","))


def _lanes() -> int:
    """Return how many u32 fit the widest register that Numba compiles for here."""
    if "+avx512bw" in _FEATURES:
        return 16
    return 8 if "+avx2" in _FEATURES else 4


LANES = _lanes()
ROOMY = "+avx512vl" in _FEATURES or "+neon" in _FEATURES  # 32 vector registers, not 16
HAS_BIT_MATRICES = "+gfni" in _FEATURES and "+avx512vbmi" in _FEATURES
HAS_DOTS = "+avx512vnni" in _FEATURES and "+avx512bw" in _FEATURES


def taken(element: Any, dimensions: int) -> Any:
    """Return the Numba type of an array that is only read."""
    return types.Array(element, dimensions, "C", readonly=True)


def filled(element: Any, dimensions: int) -> Any:
    """Return the Numba type of an array that is written."""
    return types.Array(element, dimensions, "C")


def compiled(*arguments: Any) -> Callable[[F], F]:
    """Compile a function that returns nothing for exactly these argument types; callers see it as plain Python."""

    def decorate(function: F) -> F:
        return cast("F", njit(types.void(*arguments), nogil=True, cache=True)(function))

    return decorate


def inlined(function: F) -> F:
    """Compile a function for use inside compiled ones only; it becomes part of their cached code."""
    return cast("F", njit(nogil=True)(function))
