"""The start-up check: compiled code against the plain one on a small whole sign test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moiety.kernel import fast, reference
from moiety.kernel.errors import KernelError
from moiety.kernel.labels import label

if TYPE_CHECKING:
    from types import ModuleType

    from moiety.kernel.arrays import U64

_RING_BITS = 16
_ROWS, _PROBES, _DIM = 67, 5, 64  # neither a whole word of comparisons nor a whole tile


def run() -> None:
    """Raise `KernelError` unless `fast` equals `reference` on every step of a small exchange."""
    if not all(np.array_equal(left, right) for left, right in zip(_exchange(fast), _exchange(reference), strict=True)):
        raise KernelError("the compiled kernel gives wrong answers on this machine")


def _exchange(kernel: ModuleType) -> list[U64]:
    """Return everything that a small split, product and sign test produce, as one list of arrays."""
    raw = np.frombuffer(label("moiety/self-test/1", bytes(64)), np.uint8)
    seeds = np.resize(raw, (_ROWS, 32))
    templates = (np.arange(_ROWS * _DIM).reshape(_ROWS, _DIM) % 23 - 11).astype(np.int8)
    pads = kernel.expand(seeds, seeds[:, :12].copy(), _DIM)
    rows = kernel.split_many(templates, seeds, seeds[:, :12].copy())
    a = kernel.below_threshold(kernel.ring_dot(rows, pads[:_PROBES].copy()), 1000)
    planes = kernel.slice_bits(a.reshape(-1), _RING_BITS)
    words = planes.shape[1]
    seen = [pads, rows, a, planes, kernel.quantise(templates[0].astype(np.float32))]
    seen += [kernel.mint_gamma(bytes(32), bytes(range(32)), b"sid", bit, words) for bit in (0, 1)]
    for party in ("A", "B"):
        carry = kernel.first_carry(kernel.first_send(planes[0], planes[1]), planes[2], planes[3])
        message = kernel.next_send(party, planes[4], carry, planes[5], planes[6])
        kernel.next_carry(party, carry, message, planes[7:9], planes[9], planes[10], planes[11])
        seen += [carry, message, kernel.final_share(party, planes[15], carry)]
    return seen
