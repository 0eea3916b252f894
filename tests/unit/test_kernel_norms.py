"""The norm rule: lengths and thresholds that keep every score inside the ring, and what happens without it."""

from __future__ import annotations

import numpy as np
import pytest

from moiety import kernel
from moiety.kernel import NormRule, fast
from moiety.kernel.rehearsal import rehearse

KEYS = (bytes(32), bytes(range(32)))


def of_length(squares: int, d: int = 128) -> kernel.arrays.I8:
    """Return i8[d] whose squared length is `squares`: greedy squares, largest first."""
    values = []
    while squares:
        root = min(int(np.sqrt(squares)), 11)
        values.append(root)
        squares -= root * root
    return np.array(values + [0] * (d - len(values)), np.int8)


def test_lengths_are_exact() -> None:
    assert int(kernel.norm_sq(np.full(512, -128, np.int8))) == 512 * 128 * 128
    assert kernel.norm_sq(np.array([[3, 4], [-128, 0]], np.int8)).tolist() == [25, 16384]


@pytest.mark.parametrize(
    ("squares", "as_probe", "as_template"),
    [
        (120 * 120 - 1, False, True),
        (120 * 120, True, True),
        (127 * 127, True, True),
        (127 * 127 + 1, False, False),
        (0, False, True),
    ],
)
def test_lengths_at_the_edges(squares: int, as_probe: bool, as_template: bool) -> None:  # noqa: FBT001 - a table of cases
    vector = of_length(squares, 256)
    assert int(kernel.norm_sq(vector)) == squares
    for check, passes in ((kernel.check_probe, as_probe), (kernel.check_template, as_template)):
        for given in (vector, np.stack([of_length(125 * 125, 256), vector])):
            if passes:
                check(given)
            else:
                with pytest.raises(NormRule):
                    check(given)


def test_thresholds_at_the_edges() -> None:
    kernel.check_threshold(0)
    kernel.check_threshold(16_129)
    for outside in (-1, 16_130):
        with pytest.raises(NormRule):
            kernel.check_threshold(outside)


def test_headroom_is_exact() -> None:
    kernel.check_headroom(127 * 127, 127 * 127, 16_129)
    kernel.check_headroom(127 * 127, 127 * 127, 32_767 - 16_129)
    for template, probe, threshold in (
        (127 * 127, 127 * 127, 32_768 - 16_129),
        (181 * 181, 181 * 181, 402),
        (1, 1, -1),
        (0, 0, 32_768),
    ):
        with pytest.raises(NormRule):
            kernel.check_headroom(template, probe, threshold)


def test_without_the_rule_an_opposite_face_is_accepted() -> None:
    face = np.full(128, 16, np.int8)  # length 181.02, squared 32,768
    opposite = -face
    threshold = 402
    score = int(face.astype(np.int64) @ opposite.astype(np.int64))
    assert score == -32_768
    shares = np.array([12_345], np.uint16)
    a = fast.below_threshold(np.array([score & 0xFFFF], np.uint16) - shares, threshold)
    assert rehearse(fast, (a, shares), 16, KEYS, b"wrap").hits() == [0]  # wrapped round: the worst score passes
    with pytest.raises(NormRule):
        kernel.check_template(face)
    with pytest.raises(NormRule):
        kernel.check_probe(opposite)
    with pytest.raises(NormRule):
        fast.split(face, bytes(32), b"x")


def test_with_the_rule_the_worst_score_is_refused_at_every_threshold() -> None:
    shares = np.arange(100, dtype=np.uint16)
    for threshold in (0, 1, 8000, 16_129):
        a = fast.below_threshold(np.full(100, -16_129 & 0xFFFF, np.uint16) - shares, threshold)
        assert rehearse(fast, (a, shares), 16, KEYS, b"worst").hits() == []


@pytest.mark.parametrize("bad", [np.zeros(512), np.full(512, np.nan), np.full(512, np.inf), np.ones(512)])
def test_what_cannot_be_quantised(bad: kernel.arrays.F64) -> None:
    for quantise in (fast.quantise, kernel.reference.quantise):
        with pytest.raises(NormRule):
            quantise(bad.astype(np.float32))
