"""Both parties' sign test in one process, and the start-up check that rests on it.

No server runs a search this way: here one place sees everything. It is what the vectors and the tests are made with.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from moiety.kernel import fast, reference
from moiety.kernel.arrays import U16, U64, positions
from moiety.kernel.errors import KernelError
from moiety.kernel.labels import Party, label
from moiety.kernel.norms import to_ring

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

_ROWS, _PROBES, _DIM = 67, 5, 64  # neither a whole word of comparisons nor a whole tile
_THRESHOLD = 900  # some of the scores pass it, most do not


@dataclass
class Rehearsal:
    """Everything that crossed a line: messages[bit] of A and of B, gamma_b[bit] from the mint, the last shares."""

    count: int
    messages_a: list[U64] = field(default_factory=list)
    messages_b: list[U64] = field(default_factory=list)
    gamma_b: list[U64] = field(default_factory=list)
    shares: list[U64] = field(default_factory=list)

    def hits(self) -> list[int]:
        """Return the indices at which a + b, as a signed number of the ring, is not negative."""
        return [int(i) for i in positions(self.shares[0] ^ self.shares[1], self.count)]

    def arrays(self) -> list[U64]:
        """Return every array in a fixed order."""
        return [*self.messages_a, *self.messages_b, *self.gamma_b, *self.shares]


def rehearse(
    kernel: ModuleType, values: tuple[U16, U16], bits: int, keys: tuple[bytes, bytes], sid: bytes
) -> Rehearsal:
    """Run the sign test of A's and B's values u16[m] in a ring of `bits` bits with `fast` or `reference` as kernel."""
    planes_a, planes_b = (kernel.slice_bits(part, bits) for part in values)
    words = planes_a.shape[1]
    seen = Rehearsal(len(values[0]))

    def triple(party: Party, bit: int) -> list[U64]:
        key = keys[0] if party == "A" else keys[1]
        letters = [kernel.triple_words(key, sid, bit, tag, words) for tag in ("alpha", "beta", "gamma")]
        if party == "B":
            seen.gamma_b.append(kernel.mint_gamma(*keys, sid, bit, words))
            letters[2] = seen.gamma_b[-1]
        return letters

    (alpha, _, gamma_a), (_, beta, gamma_b) = triple("A", 0), triple("B", 0)
    d, e = kernel.first_send(planes_a[0], alpha), kernel.first_send(planes_b[0], beta)
    carry_a, carry_b = kernel.first_carry(e, alpha, gamma_a), kernel.first_carry(d, planes_b[0], gamma_b)
    seen.messages_a.append(d)
    seen.messages_b.append(e)
    for bit in range(1, bits - 1):
        of_a, of_b = triple("A", bit), triple("B", bit)
        mine = kernel.next_send("A", planes_a[bit], carry_a, *of_a[:2])
        theirs = kernel.next_send("B", planes_b[bit], carry_b, *of_b[:2])
        kernel.next_carry("A", carry_a, mine, theirs, *of_a)
        kernel.next_carry("B", carry_b, theirs, mine, *of_b)
        seen.messages_a.append(mine)
        seen.messages_b.append(theirs)
    seen.shares = [kernel.final_share("A", planes_a[-1], carry_a), kernel.final_share("B", planes_b[-1], carry_b)]
    return seen


def walked(kernel: ModuleType, planes: tuple[U64, U64], keys: tuple[bytes, bytes], sid: bytes) -> list[U64]:
    """Run the same by `advance` on planes u64[k, w]: message of A, of B, bit by bit, then both shares."""
    words = planes[0].shape[1]
    works = [np.zeros((5, words), np.uint64) for _ in planes]
    seen: list[U64] = []
    of_a = of_b = None
    for bit in range(len(planes[0])):
        gamma = kernel.mint_gamma(*keys, sid, bit - 1, words) if bit else None
        mine = kernel.advance("A", keys[0], sid, bit, planes[0], works[0], of_b).copy()
        of_b = kernel.advance("B", keys[1], sid, bit, planes[1], works[1], of_a, gamma).copy()
        of_a = mine
        seen += [of_a, of_b]
    return seen


def self_test() -> None:
    """Raise `KernelError` unless `fast` equals `reference` from a small split to the bits of its search."""
    if not all(_same(left, right) for left, right in zip(_search(fast), _search(reference), strict=True)):
        raise KernelError("the compiled kernel gives wrong answers on this machine")


def _same(left: object, right: object) -> bool:
    return np.array_equal(left, right)  # type: ignore[arg-type]  # lists of arrays of several kinds


def _search(kernel: ModuleType) -> Sequence[object]:
    """Return all that a small enrolment and a batch of probes produce."""
    templates = (np.arange(_ROWS * _DIM).reshape(_ROWS, _DIM) * 7 % 23 - 11).astype(np.int8)
    seeds = kernel.stream(bytes(32), label("moiety/self-test/1"), _ROWS * 4).view(np.uint8).reshape(_ROWS, 32)
    nonces = np.ascontiguousarray(seeds[:, :12])
    rows, pads = kernel.split_many(templates, seeds, nonces), kernel.expand(seeds, nonces, _DIM)
    probes = to_ring(templates[:_PROBES])
    a = kernel.below_threshold(kernel.ring_dot(rows, probes), _THRESHOLD).reshape(-1)
    b = kernel.ring_dot(pads, probes).reshape(-1)
    exchange = rehearse(kernel, (a, b), 16, (bytes(range(32)), bytes(32)), b"self-test")
    many = np.ascontiguousarray(np.tile(probes, (4, 1)))  # enough for the kernel of many probes
    thresholds = np.full(len(many), _THRESHOLD, np.uint16)
    planes = kernel.ring_planes(rows, many, thresholds), kernel.ring_planes(pads, many, thresholds * 0)
    rounds = walked(kernel, planes, (bytes(range(32)), bytes(32)), b"self-test")
    found = [rows, pads, a, b, kernel.quantise(templates[1].astype(np.float32)), exchange.hits(), *exchange.arrays()]
    return [*found, *planes, *rounds, kernel.ring_dot(rows, many)]
