"""The q / q + e_k attack of the shared protocol, by somebody who has the gate and the eye's signing key.

Vault A holds row, B holds r, x = row + r. With q_A = q - c e_l and q_B = q + c e_l the sign test answers about
<row, q_A> + <r, q_B> = <x, q> + c (r_l - row_l): a known shift in place of an impossible score.
1. Many c give r_l - row_l, by maximum likelihood over all 2^16 values.
2. Now any q can be shifted to the threshold, where each bit is one of <x, q>; many such bits give x.
Only the comparison of the two questions before round 1 stands in the way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from moiety.drill import loot
from moiety.foundation.errors import ExchangeAborted, WarrantRefused
from moiety.kernel import check_probe
from moiety.wire.kinds import Role

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moiety.drill.forger import Forger
    from moiety.drill.hacked import Thief
    from moiety.storage import Gallery

DIM = 512
BATCH = 256
QUESTIONS = 4
AT = 5  # the coordinate l
LENGTH = 123
SHIFT_MAX = 100
RING, HALF_RING, QUARTER_RING = 65_536, 32_768, 16_384
# Chance alone gives a cosine of 0.04 to a template; above this one it was read.
READ = 0.3


def probes(
    random: np.random.Generator, shifts: NDArray[np.int64], dim: int
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Draw q_A and q_B i8[n, d] of allowed lengths that differ at one coordinate only, by twice each shift."""
    drawn = random.standard_normal((len(shifts), dim))
    drawn[:, AT] = 0
    rest = np.sqrt(LENGTH**2 - shifts.astype(float) ** 2)
    q = np.rint(drawn / np.linalg.norm(drawn, axis=1)[:, None] * rest[:, None]).astype(np.int8)
    q_a, q_b = q.copy(), q.copy()
    q_a[:, AT], q_b[:, AT] = -shifts, shifts
    check_probe(q_a)
    check_probe(q_b)
    return q_a, q_b


def norm_breakers() -> tuple[NDArray[np.int8], ...]:
    """Give probes i8[d] that are too short and too long."""
    whisper = np.zeros(DIM, np.int8)
    whisper[3] = 1
    return whisper, np.full(DIM, 8, np.int8)


async def bits(forger: Forger, q_a: NDArray[np.int8], q_b: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Ask, and read the one bit of each probe about the only row.

    Raises:
        Refusal: a vault does not answer.

    """
    answers = await forger.ask([forger.face(q) for q in q_a], [forger.face(q) for q in q_b])
    words = np.bitwise_xor(*(np.frombuffer(answer.buffers[0], np.uint64) for answer in answers))
    return (words & np.uint64(1)).astype(bool)


def _normal_cdf(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Approximate the normal distribution by the logistic one; enough to weigh candidates."""
    return 1 / (1 + np.exp(-1.702 * np.clip(z, -20, 20)))


def _centred(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Read numbers mod 2^16 as signed ones."""
    found: NDArray[np.int64] = (values + HALF_RING) % RING - HALF_RING
    return found


def likely_difference(shifts: NDArray[np.int64], seen: NDArray[np.bool_], threshold: int, dim: int) -> int:
    """Give the y = r_l - row_l mod 2^16 under which the bits are likeliest."""
    candidates = np.arange(RING)
    total = np.zeros(RING)
    for shift, hit in zip(shifts, seen, strict=True):
        sigma = 127 * np.sqrt(LENGTH**2 - shift**2) / np.sqrt(dim)
        z = _centred(shift * candidates - threshold).astype(float)
        inner = np.abs(z) <= QUARTER_RING
        passes = _normal_cdf(np.where(inner, z, -(z - np.sign(z) * HALF_RING)) / sigma)
        total += np.log(np.clip(passes if hit else 1 - passes, 1e-4, 1))
    return int(total.argmax())


def _shifts_to(threshold: int, difference: int, wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose for each wanted shift above the threshold the c in -60 .. 60 whose c * y comes nearest."""
    c = np.arange(-60, 61)
    reached = _centred(c * difference - threshold)
    chosen: NDArray[np.int64] = c[np.abs(reached[None, :] - wanted[:, None]).argmin(axis=1)]
    return chosen


async def attack(
    forger: Forger, threshold: int, random: np.random.Generator, dim: int, questions: int = QUESTIONS
) -> NDArray[np.float64]:
    """Read the only row's template, as a unit vector f64[d], in so many questions of 256 probes.

    Raises:
        Refusal: a vault does not answer.

    """
    shifts = random.integers(-SHIFT_MAX, SHIFT_MAX + 1, BATCH)
    seen = await bits(forger, *probes(random, shifts, dim))
    difference = likely_difference(shifts, seen, threshold, dim)
    found = np.zeros(dim)
    spread = int(1.2 * 127 * LENGTH / np.sqrt(dim))
    for _ in range(questions - 1):
        shifts = _shifts_to(threshold, difference, random.integers(-spread, spread + 1, BATCH))
        q_a, q_b = probes(random, shifts, dim)
        offset = _centred(shifts * difference - threshold).astype(float)
        expected = _normal_cdf(offset / (127 * LENGTH / np.sqrt(dim)))
        found += (await bits(forger, q_a, q_b) - expected) @ q_b.astype(float)
    found[AT] = 0
    made: NDArray[np.float64] = found / np.linalg.norm(found)
    return made


async def read_template(thief: Thief, gallery: Gallery) -> tuple[int, float]:
    """Try it on a gallery with one row; gives how many numbers were read, and the cosine to the real template.

    A number is read when its sign is right; half of them are right by chance, which is taken off.
    """
    forger = thief.forger(gallery, with_eye=True)
    try:
        read = await attack(forger, gallery.thresholds[0], np.random.default_rng(), DIM, questions=8)
    except (ExchangeAborted, WarrantRefused):
        return 0, 0.0
    halves = [loot.half_of(loot.steal(thief.ground, role), role, gallery.id) for role in (Role.VAULT_A, Role.VAULT_B)]
    (template,) = loot.joined(*halves)
    template[AT] = 0
    likeness = float(read @ template / np.linalg.norm(template))
    right = int((np.sign(read) == np.sign(template)).sum())
    return (max(0, 2 * right - DIM) if likeness > READ else 0), likeness
