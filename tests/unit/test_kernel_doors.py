"""What the kernel refuses before compiled code sees it, and what it accepts without copying a caller's mistake."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from moiety import kernel
from moiety.kernel import KernelError, ShapeRule, fast, label, reference

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

both = pytest.mark.parametrize("module", [reference, fast], ids=["reference", "fast"])
U16 = np.zeros((4, 32), np.uint16)
WORDS = np.zeros(4, np.uint64)
PLANES, WORK, THEIRS = (np.zeros((n, 8), np.uint64) for n in (16, 5, 2))


def test_labels_of_different_lists_differ() -> None:
    lists: list[tuple[bytes | int, ...]] = [(), (b"",), (b"", b""), (b"ab",), (b"a", b"b"), (b"b", b"a"), (0,), (1,)]
    assert len({label("d", *parts) for parts in lists} | {label("da", b"b"), label("d", b"ab")}) == len(lists) + 1


def test_a_label_is_made_of_lengths_and_bytes() -> None:
    assert (
        label("ab", b"xyz", 258).hex() == "02000000" + "6162" + "03000000" + "78797a" + "08000000" + "0201000000000000"
    )


@pytest.mark.parametrize("part", [-1, 2**64, True, "text", None, 1.5])
def test_labels_refuse_other_parts(part: Any) -> None:
    with pytest.raises((OverflowError, TypeError)):
        label("d", part)


@both
def test_wrong_shapes_and_types_are_refused(module: ModuleType) -> None:
    cases: list[Callable[[], object]] = [
        lambda: module.ring_dot(U16.astype(np.int16), U16),
        lambda: module.ring_dot(U16, U16[:, :31]),
        lambda: module.ring_dot(U16, U16, np.empty((4, 5), np.uint16)),
        lambda: module.ring_dot(U16, U16, np.empty((4, 8), np.uint16)[:, ::2]),
        lambda: module.stream(bytes(31), b"x", 8),
        lambda: module.stream(bytes(32), b"x", 8, 4),
        lambda: module.stream(bytes(32), b"x", -1),
        lambda: module.stream(bytes(32), b"x", 16, 8 * (2**32 - 1)),
        lambda: module.expand(np.zeros((2, 32), np.uint8), np.zeros((3, 12), np.uint8), 32),
        lambda: module.split_many(np.zeros((2, 32), np.int8), np.zeros((1, 32), np.uint8), np.zeros((2, 12), np.uint8)),
        lambda: module.slice_bits(U16.reshape(-1), 17),
        lambda: module.slice_bits(U16),
        lambda: module.first_send(WORDS, WORDS[:3]),
        lambda: module.next_send("A", WORDS, WORDS, WORDS, np.zeros(5, np.uint64)),
        lambda: module.ring_planes(U16, U16, np.zeros(3, np.uint16)),
        lambda: module.ring_planes(U16, U16, np.zeros(4, np.uint16), np.empty((16, 3), np.uint64)),
        lambda: module.advance("A", bytes(32), b"", 0, PLANES, np.zeros((4, 8), np.uint64)),
        lambda: module.advance("A", bytes(32), b"", 0, PLANES, WORK, THEIRS),
        lambda: module.advance("A", bytes(32), b"", 1, PLANES, WORK),
        lambda: module.advance("A", bytes(32), b"", 1, PLANES, WORK, THEIRS),
        lambda: module.advance("A", bytes(32), b"", 2, PLANES, WORK, THEIRS[:1]),
        lambda: module.advance("B", bytes(32), b"", 2, PLANES, WORK, THEIRS, np.zeros(7, np.uint64)),
        lambda: module.advance("A", bytes(32), b"", 16, PLANES, WORK, THEIRS),
        lambda: module.advance("A", bytes(31), b"", 0, PLANES, WORK),
        lambda: module.advance("A", bytes(32), b"", 0, PLANES, np.frombuffer(bytes(320), np.uint64).reshape(5, 8)),
        lambda: module.next_carry("A", WORDS.copy(), WORDS, WORDS, WORDS, WORDS, WORDS),
        lambda: module.next_carry(
            "A", np.frombuffer(bytes(32), np.uint64), *[np.zeros((2, 4), np.uint64)] * 2, *[WORDS] * 3
        ),
    ]
    for case in cases:
        with pytest.raises(ShapeRule):
            case()


def test_kernel_errors_are_value_errors() -> None:
    assert issubclass(KernelError, ValueError)
    assert issubclass(ShapeRule, KernelError)


@both
def test_bytes_from_the_wire_work_at_any_address(module: ModuleType) -> None:
    raw = np.random.default_rng(5).bytes(8 * 9)
    words = np.frombuffer(raw, np.uint64, 8, offset=0)
    shifted = np.frombuffer(b"\0" + raw, np.uint8)[1:65].view(np.uint64)
    assert not shifted.flags.aligned
    assert np.array_equal(module.first_send(shifted, shifted), np.zeros(8))
    assert np.array_equal(module.first_send(shifted, np.zeros(8, np.uint64)), words)
    seeds = np.frombuffer(b"\0" + bytes(range(64)), np.uint8)[1:].reshape(2, 32)
    nonces = np.zeros((2, 12), np.uint8)
    assert np.array_equal(module.expand(seeds, nonces, 64), module.expand(seeds.copy(), nonces, 64))


@both
def test_out_arrays_are_the_ones_returned(module: ModuleType) -> None:
    product, words, pads = np.empty((4, 4), np.uint16), np.empty(9, np.uint64), np.empty((1, 40), np.uint16)
    message = np.empty((2, 4), np.uint64)
    assert module.ring_dot(U16, U16, product) is product
    assert module.stream(bytes(32), b"x", 9, 0, words) is words
    assert module.expand(np.zeros((1, 32), np.uint8), np.zeros((1, 12), np.uint8), 40, pads) is pads
    assert module.next_send("B", WORDS, WORDS, WORDS, WORDS, message) is message
    partial = np.arange(6, dtype=np.uint16).reshape(2, 3)
    assert module.below_threshold(partial, 1, partial) is partial
    assert partial.tolist() == [[65535, 0, 1], [2, 3, 4]]


def test_two_threads_fill_halves_of_one_product() -> None:
    rng = np.random.default_rng(6)
    rows, probes = rng.integers(0, 2**16, (1001, 128), np.uint16), rng.integers(0, 2**16, (5, 128), np.uint16)
    halves = (rows[:500], rows[500:])
    with ThreadPoolExecutor(2) as pool:
        parts = list(pool.map(lambda half: fast.ring_dot(half, probes), halves))
    assert np.array_equal(np.concatenate(parts, axis=1), reference.ring_dot(rows, probes))


def test_both_kernels_have_the_same_functions() -> None:
    for name in fast.__all__:
        assert callable(getattr(reference, name))
        assert getattr(kernel, name, getattr(fast, name)) is getattr(fast, name)


def test_every_promised_name_is_there() -> None:
    for name in kernel.__all__:
        assert getattr(kernel, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = kernel.nonsense


def test_labels_and_checks_need_no_compiler() -> None:
    code = "import sys, moiety.kernel as k; k.label('x'); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_warm_up_refuses_a_kernel_that_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel.warm_up()
    # A process proves it once: this is what the next one would see.
    kernel.warm_up.cache_clear()
    monkeypatch.setattr(fast, "ring_dot", lambda rows, probes: reference.ring_dot(rows, probes) ^ np.uint16(1))
    with pytest.raises(KernelError, match="wrong answers"):
        kernel.warm_up()
