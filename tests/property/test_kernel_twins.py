"""The compiled kernel equals the plain one on whatever Hypothesis thinks of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from moiety.kernel import NormRule, fast, norm_sq, positions, reference, to_ring

seeds = st.integers(0, 2**32 - 1)
quick = settings(max_examples=60, deadline=None)


def some(seed: int, dtype: type[np.integer[Any]], *shape: int) -> Any:
    limits = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)


@quick
@given(seeds, st.integers(0, 700), st.integers(0, 40))
def test_streams(seed: int, words: int, block: int) -> None:
    key = some(seed, np.uint8, 32).tobytes()
    assert np.array_equal(fast.stream(key, b"x", words, 8 * block), reference.stream(key, b"x", words, 8 * block))


@quick
@given(seeds, st.integers(0, 300), st.integers(0, 20))
def test_a_stream_entered_later_is_the_tail_of_the_whole(seed: int, words: int, block: int) -> None:
    key = some(seed, np.uint8, 32).tobytes()
    whole = fast.stream(key, b"x", 8 * block + words)
    assert np.array_equal(fast.stream(key, b"x", words, 8 * block), whole[8 * block :])


@quick
@given(seeds, st.integers(0, 40), st.sampled_from([1, 31, 32, 64, 96, 128, 160, 256, 512, 513, 544, 1024]))
def test_pads(seed: int, n: int, d: int) -> None:
    keys, nonces = some(seed, np.uint8, n, 32), some(seed + 1, np.uint8, n, 12)
    assert np.array_equal(fast.expand(keys, nonces, d), reference.expand(keys, nonces, d))


@quick
@given(seeds, st.integers(0, 150), st.sampled_from([1, 32, 100, 128]))
def test_splits_and_their_undoing(seed: int, n: int, d: int) -> None:
    templates = some(seed, np.int8, n, d) // 13
    keys, nonces = some(seed + 1, np.uint8, n, 32), some(seed + 2, np.uint8, n, 12)
    rows = fast.split_many(templates, keys, nonces)
    assert np.array_equal(rows, reference.split_many(templates, keys, nonces))
    assert np.array_equal((rows + fast.expand(keys, nonces, d)).view(np.int16), templates)


@quick
@given(seeds, st.integers(0, 200), st.integers(0, 35), st.sampled_from([0, 1, 7, 8, 16, 31, 32, 64, 96, 100, 512]))
@example(0, 64, 64, 512)
@example(0, 130, 49, 512)
@example(0, 64, 33, 31)
def test_ring_products(seed: int, n: int, q: int, d: int) -> None:
    rows, probes = some(seed, np.uint16, n, d), some(seed + 1, np.uint16, q, d)
    assert np.array_equal(fast.ring_dot(rows, probes), reference.ring_dot(rows, probes))
    thresholds = some(seed + 2, np.uint16, q)
    assert np.array_equal(fast.ring_planes(rows, probes, thresholds), reference.ring_planes(rows, probes, thresholds))


@pytest.mark.parametrize("q", [1, 3, 4, 16, 17, 64])
def test_the_largest_products_wrap_alike(q: int) -> None:
    """Sums of u32 overflow here: 512 products of up to 2^32; what is kept of them is right all the same."""
    for value in (0xFFFF, 0x8000, 0x7FFF):
        rows, probes = np.full((70, 512), value, np.uint16), np.full((q, 512), 0x8000, np.uint16)
        assert np.array_equal(fast.ring_dot(rows, probes), reference.ring_dot(rows, probes))


@quick
@given(seeds, st.integers(1, 8), st.integers(1, 300))
def test_partial_scores_add_up_to_the_score(seed: int, q: int, n: int) -> None:
    templates, probes = some(seed, np.int8, n, 64) // 9, some(seed + 1, np.int8, q, 64) // 9
    keys, nonces = some(seed + 2, np.uint8, n, 32), some(seed + 3, np.uint8, n, 12)
    rows, pads = fast.split_many(templates, keys, nonces), fast.expand(keys, nonces, 64)
    ours, theirs = fast.ring_dot(rows, to_ring(probes)), fast.ring_dot(pads, to_ring(probes))
    assert np.array_equal(np.add(ours, theirs).view(np.int16), probes.astype(np.int64) @ templates.T.astype(np.int64))


@quick
@given(seeds, st.integers(0, 400), st.integers(1, 16))
def test_bit_planes(seed: int, count: int, bits: int) -> None:
    values = some(seed, np.uint16, count)
    planes = fast.slice_bits(values, bits)
    assert np.array_equal(planes, reference.slice_bits(values, bits))
    assert np.array_equal(reference.unslice(planes, count), values & (2**bits - 1))
    assert np.array_equal(positions(planes[0], count), np.flatnonzero(values & 1))


@quick
@given(seeds, st.integers(0, 90), st.sampled_from(["A", "B"]), st.booleans())
def test_sign_test_steps(seed: int, words: int, party: Any, first: bool) -> None:  # noqa: FBT001 - Hypothesis passes it
    plane, carry, alpha, beta, gamma = some(seed, np.uint64, 5, words)
    mine, theirs = some(seed + 1, np.uint64, 2, 2, words)
    carries = [carry.copy(), carry.copy()]
    messages = []
    for kernel, own in zip((fast, reference), carries, strict=True):
        messages.append(kernel.first_send(plane, alpha) if first else kernel.next_send(party, plane, own, alpha, beta))
        kernel.next_carry(party, own, mine, theirs, alpha, beta, gamma)
        messages += [kernel.first_carry(plane, alpha, gamma), kernel.final_share(party, plane, own), own]
    half = len(messages) // 2
    assert all(np.array_equal(*pair) for pair in zip(messages[:half], messages[half:], strict=True))


@quick
@given(seeds, st.integers(0, 600), st.sampled_from([2, 4, 16]), st.sampled_from(["A", "B"]), st.integers(0, 3))
def test_whole_rounds(seed: int, words: int, bits: int, party: Any, block: int) -> None:
    planes = some(seed, np.uint64, bits, words)
    works = [some(seed + 1, np.uint64, 5, words) for _ in "ab"]
    for bit in range(bits):
        theirs = some(seed + 2 + bit, np.uint64, 1 if bit == 1 else 2, words) if bit else None
        gamma = some(seed + 50, np.uint64, words) if party == "B" and bit else None
        fixed = party, bytes(range(32)), b"sid", bit, planes
        messages = [
            kernel.advance(*fixed, work, theirs, gamma, 8 * block)
            for kernel, work in zip((fast, reference), works, strict=True)
        ]
        assert np.array_equal(*messages)


@quick
@given(seeds, st.integers(0, 14), st.integers(0, 5000), st.integers(0, 4))
def test_mint(seed: int, bit: int, words: int, block: int) -> None:
    key_a, key_b = (row.tobytes() for row in some(seed, np.uint8, 2, 32))
    arguments = (key_a, key_b, b"sid", bit, words, 8 * block)
    assert np.array_equal(fast.mint_gamma(*arguments), reference.mint_gamma(*arguments))
    several = (key_a, key_b, b"sid", bit, 3, words, 8 * block)
    assert np.array_equal(fast.mint_gammas(*several), reference.mint_gammas(*several))
    assert np.array_equal(fast.mint_gammas(*several)[0], fast.mint_gamma(*arguments))


@quick
@given(seeds, st.sampled_from([2, 32, 128, 512]), st.floats(1e-6, 1e6))
def test_quantising_is_the_same_and_as_long_as_can_be(seed: int, d: int, length: float) -> None:
    x = np.random.default_rng(seed).standard_normal(d)
    floats = (x * (length / np.linalg.norm(x))).astype(np.float32)
    try:
        template = reference.quantise(floats)
    except NormRule:
        with pytest.raises(NormRule):
            fast.quantise(floats)
        return
    assert np.array_equal(fast.quantise(floats), template)
    assert 120 <= np.sqrt(norm_sq(template)) <= 127
    if d >= 128:
        assert np.sqrt(norm_sq(template)) > 126.5
        cosine = float(template.astype(np.float64) @ x) / float(np.linalg.norm(template) * np.linalg.norm(x))
        assert cosine > 0.995


@settings(max_examples=10, deadline=None)
@given(seeds, st.sampled_from([1, 2, 3, 17, 64]))
def test_rotations_are_close_and_orthogonal(seed: int, d: int) -> None:
    key = some(seed, np.uint8, 32).tobytes()
    turned = fast.rotation(key, d)
    assert np.allclose(turned, reference.rotation(key, d), atol=1e-7)
    assert np.allclose(turned @ turned.T, np.eye(d), atol=1e-5)
