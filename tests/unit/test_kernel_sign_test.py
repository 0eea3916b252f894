"""The sign test says exactly whether a + b, a signed number of the ring, is at least zero; and shows nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety.kernel import SCORE_MAX, fast, reference
from moiety.kernel.rehearsal import rehearse, walked

if TYPE_CHECKING:
    from types import ModuleType

KEYS = (bytes(range(32)), bytes(range(32, 64)))
both = pytest.mark.parametrize("kernel", [reference, fast], ids=["reference", "fast"])


def random_u16(seed: int, count: int) -> Any:
    return np.random.default_rng(seed).integers(0, 2**16, count, np.uint16)


@both
@pytest.mark.parametrize("bits", [4, 6, 8])
def test_every_pair_of_a_small_ring(kernel: ModuleType, bits: int) -> None:
    size = 1 << bits
    a, b = (part.astype(np.uint16) for part in np.divmod(np.arange(size * size), size))
    seen = rehearse(kernel, (a, b), bits, KEYS, b"small ring")
    assert np.array_equal(seen.hits(), np.flatnonzero((a + b) % size < size // 2))


@both
@pytest.mark.parametrize("count", [1, 63, 64, 65, 1000, 4099])
@pytest.mark.parametrize("threshold", [0, 1, 5000, SCORE_MAX])
def test_random_shares_and_boundary_scores(kernel: ModuleType, count: int, threshold: int) -> None:
    near = np.arange(-3, 4) + threshold
    edges = np.clip(np.concatenate([near, [SCORE_MAX, -SCORE_MAX, 0, 1, -1]]), -SCORE_MAX, SCORE_MAX)
    random = np.random.default_rng(count).integers(-SCORE_MAX, SCORE_MAX + 1, count)
    scores = np.concatenate([edges, random])[-count:] if count < len(edges) else np.concatenate([edges, random])[:count]
    u_b = random_u16(threshold, count)
    a = kernel.below_threshold(scores.astype(np.uint16) - u_b, threshold)
    seen = rehearse(kernel, (a, u_b), 16, KEYS, b"16 bits")
    assert np.array_equal(seen.hits(), np.flatnonzero(scores >= threshold))


@both
@pytest.mark.parametrize("bits", [2, 4, 6, 8, 16])
def test_whole_rounds_are_the_steps_put_together(kernel: ModuleType, bits: int) -> None:
    values = random_u16(bits, 3000) & (2**bits - 1), random_u16(bits + 1, 3000) & (2**bits - 1)
    planes = kernel.slice_bits(values[0], bits), kernel.slice_bits(values[1], bits)
    steps, rounds = rehearse(kernel, values, bits, KEYS, b"rounds"), walked(kernel, planes, KEYS, b"rounds")
    for bit in range(bits - 1):
        for step, message in zip((steps.messages_a, steps.messages_b), rounds[2 * bit :], strict=False):
            assert np.array_equal(step[bit].reshape(message.shape), message)
    assert all(np.array_equal(share, last[0]) for share, last in zip(steps.shares, rounds[-2:], strict=True))


def test_chunks_of_one_session_are_the_whole_session() -> None:
    whole = fast.mint_gamma(*KEYS, b"sid", 3, 1000)
    parts = [fast.mint_gamma(*KEYS, b"sid", 3, 8 * 25, first) for first in range(0, 1000, 8 * 25)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_the_size_of_the_exchange_does_not_depend_on_the_values() -> None:
    quiet = rehearse(fast, (np.zeros(500, np.uint16), np.zeros(500, np.uint16)), 16, KEYS, b"one")
    loud = rehearse(fast, (random_u16(1, 500), random_u16(2, 500)), 16, KEYS, b"two")
    assert [part.shape for part in quiet.arrays()] == [part.shape for part in loud.arrays()]
    assert (len(quiet.messages_a), len(quiet.messages_b)) == (15, 15)
    assert sum(message.size for message in quiet.messages_a) == 29 * 8


@pytest.mark.parametrize("values", [(0, 0), (0xFFFF, 0xFFFF), (0x8000, 1)])
def test_opened_words_are_uniform_whatever_the_values(values: tuple[int, int]) -> None:
    count = 64 * 4096
    a, b = (np.full(count, value, np.uint16) for value in values)
    seen = rehearse(fast, (a, b), 16, KEYS, b"uniform")
    opened = [np.concatenate([(x ^ y).reshape(-1) for x, y in _later(seen)]), *_bit_zero(seen), *seen.shares]
    for words in opened:
        ones = int(np.bitwise_count(words).sum())
        total = 64 * words.size
        assert abs(ones - total / 2) < 5 * np.sqrt(total) / 2  # five standard deviations
        counts = np.bincount(words.view(np.uint8), minlength=256)
        expected = words.size * 8 / 256
        chi_square = float(((counts - expected) ** 2 / expected).sum())
        assert chi_square < 255 + 5 * np.sqrt(2 * 255)


def _later(seen: Any) -> list[Any]:
    return list(zip(seen.messages_a[1:], seen.messages_b[1:], strict=True))


def _bit_zero(seen: Any) -> list[Any]:
    return [seen.messages_a[0], seen.messages_b[0]]


def test_a_flipped_bit_on_the_line_changes_an_answer() -> None:
    # why the vaults compare the hash of the whole exchange before a share leaves them
    a, b = random_u16(3, 256), random_u16(4, 256)
    planes = fast.slice_bits(a)
    honest = rehearse(fast, (a, b), 16, KEYS, b"flip")
    last = 14
    letters = [fast.triple_words(KEYS[0], b"flip", last, tag, 4) for tag in ("alpha", "beta", "gamma")]
    carries = []
    for flip in (0, 1):
        theirs = honest.messages_b[last].copy()
        theirs ^= np.uint64(0xFFFF_FFFF_FFFF_FFFF * flip)
        carry = np.zeros(4, np.uint64)
        fast.next_carry("A", carry, honest.messages_a[last], theirs, *letters)
        carries.append(fast.final_share("A", planes[15], carry))
    assert np.bitwise_count(carries[0] ^ carries[1]).sum() > 0
