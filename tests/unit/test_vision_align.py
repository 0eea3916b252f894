"""The similarity of Umeyama in the plane, and the crop it makes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moiety.vision.align import ARCFACE_112, crop, inside, similarity, template

numbers = st.floats(-200, 200, allow_nan=False)


@given(angle=st.floats(-3.1, 3.1), scale=st.floats(0.05, 20), dx=numbers, dy=numbers)
def test_a_known_similarity_is_found_again(angle: float, scale: float, dx: float, dy: float) -> None:
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = ARCFACE_112 @ turn.T + [dx, dy]
    found = similarity(ARCFACE_112, moved)
    assert np.allclose(found, np.column_stack([turn, [dx, dy]]), atol=1e-3 * max(scale, 1))


@given(st.integers(0, 10_000))
def test_it_equals_the_general_form_by_singular_values(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source, target = ARCFACE_112 + rng.normal(0, 3, (5, 2)), ARCFACE_112 * 2 + rng.normal(0, 3, (5, 2))
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a / 5)
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = (s * sign).sum() / (a * a).sum() * 5
    assert np.allclose(similarity(source, target)[:, :2], scale * rotation, atol=1e-9)


def test_points_that_fall_together_give_a_shift() -> None:
    found = similarity(np.full((5, 2), 3.0), np.full((5, 2), 10.0))
    assert np.allclose(found, [[1, 0, 7], [0, 1, 7]])


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0, 9.0])
def test_the_crop_brings_the_points_onto_the_template(factor: float) -> None:
    side = round(112 * factor)
    picture = np.zeros((side + 40, side + 60, 3), np.uint8)
    points = ARCFACE_112 * factor + [25, 15]
    for x, y in points:
        cv2.circle(picture, (round(float(x)), round(float(y))), max(1, round(3 * factor)), (255, 255, 255), -1)
    aligned = crop(picture, points, template(112), 112)
    assert aligned.shape == (112, 112, 3)
    for x, y in ARCFACE_112:
        rows, columns = np.mgrid[0:112, 0:112]
        near = (np.hypot(columns - x, rows - y) < 8) * aligned[:, :, 0].astype(float)
        # The discs lie on whole pixels of the picture: up to half of one off.
        assert abs((near * columns).sum() / near.sum() - x) < 0.2 + 0.5 / factor
        assert abs((near * rows).sum() / near.sum() - y) < 0.2 + 0.5 / factor


def test_a_large_face_is_averaged_and_does_not_alias() -> None:
    # A checkerboard of single pixels has the mean 127.5: whoever skips pixels sees stripes or a plain colour.
    board = ((np.indices((1200, 1200)).sum(axis=0) % 2) * 255).astype(np.uint8)
    picture = np.repeat(board[:, :, None], 3, axis=2)
    aligned = crop(picture, ARCFACE_112 * 10 + 20, template(112), 112)
    assert abs(float(aligned[8:-8, 8:-8].mean()) - 127.5) < 3
    assert float(aligned[8:-8, 8:-8].std()) < 12


def test_a_face_outside_the_picture_gives_a_black_crop() -> None:
    aligned = crop(np.full((50, 50, 3), 200, np.uint8), ARCFACE_112 * 5 + 4000, template(112), 112)
    assert aligned.max() == 0


def test_share_of_the_aligned_square_inside_the_picture() -> None:
    assert inside(ARCFACE_112 + 50, 300, 300) == 1.0
    assert inside(ARCFACE_112 * 3 - [168, 0], 336, 336) == 0.5
    assert inside(ARCFACE_112 + 900, 300, 300) == 0.0
    assert inside(np.full((5, 2), 150.0), 300, 300) == 1.0  # one point: a speck
