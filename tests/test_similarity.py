"""Zoom, rotation and shift: signs, order, and position of the centre."""

from __future__ import annotations

import numpy as np
import pytest

from sdd_bench.registration.similarity import Similarity


def test_zoom_of_2_percent_at_4096_moves_the_origin_by_41_px() -> None:
    zoom = Similarity(zoom=1.02)
    origin = zoom.apply(np.array([0.0, 0.0]), 4096, 2160)
    assert origin == pytest.approx([-0.02 * 4095 / 2, -0.02 * 2159 / 2])
    assert zoom.apply(np.array([4095 / 2, 2159 / 2]), 4096, 2160) == pytest.approx([4095 / 2, 2159 / 2])


def test_rotation_turns_x_towards_y() -> None:
    assert Similarity(rotation_deg=90).apply(np.array([4.0, 2.0]), 5, 5) == pytest.approx([2.0, 4.0])


def test_inverse_and_composition_agree_with_points() -> None:
    first, second = Similarity(1.02, 0.2, 5.3, -3.6), Similarity(0.98, -1.0, -2.0, 7.0)
    points = np.random.default_rng(1).uniform(0, 100, (20, 2))
    there = second.apply(first.apply(points, 120, 90), 120, 90)
    np.testing.assert_allclose(second.after(first).apply(points, 120, 90), there, atol=1e-9)
    np.testing.assert_allclose(first.inverse().apply(first.apply(points, 120, 90), 120, 90), points, atol=1e-9)


def test_similarity_flow_is_mapped_minus_position() -> None:
    similarity = Similarity(1.01, 0.3, 2.0, -1.0)
    flow = similarity.flow(40, 30)
    np.testing.assert_allclose(flow[7, 11] + [11, 7], similarity.apply(np.array([11.0, 7.0]), 40, 30), atol=1e-12)
    assert flow.shape == (30, 40, 2)


def test_bad_similarity_is_refused() -> None:
    with pytest.raises(ValueError, match="positive zoom"):
        Similarity(zoom=0)


def test_a_row_gives_its_similarity_whatever_the_order_of_its_columns() -> None:
    row = {"shift_y_px": "-3.5", "kind": "shift", "rotation_deg": "0.2", "shift_x_px": "4", "zoom": "1.01"}
    assert Similarity.of_row(row) == Similarity(zoom=1.01, rotation_deg=0.2, shift_x_px=4, shift_y_px=-3.5)


def test_pixels_are_mapped_from_where_they_were_moved_to() -> None:
    similarity = Similarity(1.02, 0.4, 3.0, -1.0)
    x, y = similarity.mapped(40, 30, np.broadcast_to([2.0, -5.0], (30, 40, 2)))
    assert (x[7, 11], y[7, 11]) == pytest.approx(tuple(similarity.apply(np.array([13.0, 2.0]), 40, 30)), abs=1e-12)
