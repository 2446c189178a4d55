"""The motion chosen from blocks: simulated displacements of known motions, the choice and its uncertainty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.evidence import choose_motion
from sdd_bench.registration.motion import Motion, motion_of
from sdd_bench.registration.remaining import remaining, remaining_map
from sdd_bench.registration.similarity import Similarity

SIZE = (960, 720)
SIDE = 48
NOISE_PX = 0.02
STILL = Similarity()


def blocks_of(
    similarity: Similarity = STILL,
    drawn_at: Similarity = STILL,
    *,
    distortion_px: float = 0.0,
    parallax: tuple[float, float] = (0.0, 0.0),
    asymmetry: float = 0.0,
    both_sides: bool = True,
    moved_px: float = 0.0,
    seed: int = 0,
) -> tuple[BlockShifts, Similarity]:
    """Blocks of a frame with strips of different depth, and the similarity by which they were made.

    Points of the sharp image are mapped to the blur image by the similarity, then inwards by the distortion, then by
    parallax times the signed radius, and appear shifted by the asymmetry.
    """
    width, height = SIZE
    rng = np.random.default_rng(seed)
    cols, rows = width // SIDE, height // SIDE
    y, x = np.mgrid[0:rows, 0:cols] * SIDE + (SIDE - 1) / 2
    at = np.stack([x.ravel(), y.ravel()], axis=-1).astype(float)
    strip = (at[:, 0] // (4 * SIDE)).astype(int) % 5
    signed = np.array([-8.0, -4.0, 0.5, 4.0, 8.0] if both_sides else [8.0, 6.0, 4.0, 2.0, 0.5])[strip]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    in_sharp = drawn_at.inverse().apply(at, width, height)
    there = similarity.apply(in_sharp, width, height)
    out = (there - centre) / (0.5 * np.hypot(width, height))
    there = there - distortion_px * out * (out * out).sum(axis=1, keepdims=True)
    there = there + signed[:, None] * (np.array(parallax) + asymmetry * out)
    shift = there - at + rng.normal(0, NOISE_PX, at.shape)
    if moved_px:
        shift[(at[:, 0] < 5 * SIDE) & (at[:, 1] < 3 * SIDE)] += (moved_px, 0)
    covariance = np.tile(np.eye(2) * NOISE_PX**2, (len(at), 1, 1))
    return BlockShifts(SIZE, SIDE, at, shift, covariance, np.abs(signed), np.zeros(len(at))), drawn_at


def motion_in(blocks: BlockShifts, drawn_at: Similarity) -> Motion:
    choice = choose_motion(blocks, drawn_at)
    assert choice is not None
    return motion_of(*choice, blocks, drawn_at)


@pytest.mark.parametrize(
    ("truth", "drawn_at", "model"),
    [
        (Similarity(), Similarity(), "identity"),
        (Similarity(), Similarity(1.0004, 0.01, 0.3, 0.1), "identity"),
        (Similarity(1, 0, 12.4, -7.1), Similarity(1.0002, 0.005, 12.3, -7.0), "shift"),
        (Similarity(1.01, 0, 12.4, -7.1), Similarity(1.0102, 0.005, 12.3, -7.0), "zoom"),
        (Similarity(1.01, 0.2, 2.4, -7.1), Similarity(1.0102, 0.195, 2.3, -7.0), "similarity"),
    ],
)
def test_the_simplest_motion_that_explains_the_blocks(truth: Similarity, drawn_at: Similarity, model: str) -> None:
    found = motion_in(*blocks_of(truth, drawn_at))
    assert found.model == model
    assert found.similarity.after(truth.inverse()).corner_px(*SIZE) < 0.02
    fixed = {"identity": 4, "shift": 2, "zoom": 1, "similarity": 0}[model]
    errors = (found.zoom_se, found.rotation_se_deg, found.shift_x_se_px, found.shift_y_se_px)
    assert sum(error == 0 for error in errors) == fixed


def test_distortion_and_parallax_are_found_with_the_signs_of_their_definition() -> None:
    truth = Similarity(1.004, 0.05, 3.0, 2.0)
    found = motion_in(*blocks_of(truth, truth, distortion_px=0.8, parallax=(0.05, -0.02)))
    assert found.model == "distortion+parallax"
    assert found.distortion_px == pytest.approx(0.8, abs=0.05)
    sign = np.sign(found.parallax[0])  # which side of the plane in focus is positive is undetermined
    assert sign * np.array(found.parallax) == pytest.approx([0.05, -0.02], abs=0.004)
    assert found.parallax_px == pytest.approx(16 * np.hypot(0.05, 0.02), rel=0.1)
    assert found.similarity.after(truth.inverse()).corner_px(*SIZE) < 0.03


def test_the_flow_of_a_motion_leads_to_where_its_points_lie() -> None:
    truth = Similarity(1.004, 0.05, 3.0, 2.0)
    blocks, drawn_at = blocks_of(truth, truth, distortion_px=0.8, parallax=(0.05, -0.02), both_sides=False)
    found = motion_in(blocks, drawn_at)
    sign = np.sign(found.parallax[0])
    points = blocks.at + blocks.shift_px
    lie = points + found.flow_blur_to_sharp(points, sign * blocks.radius_px, *SIZE)
    assert np.abs(lie - drawn_at.inverse().apply(blocks.at, *SIZE)).max() < 5 * NOISE_PX


@pytest.mark.parametrize("both_sides", [True, False])
def test_a_spread_that_is_not_round_is_no_zoom(both_sides: bool) -> None:
    blocks, drawn_at = blocks_of(Similarity(1, 0, 0.6, -0.4), Similarity(1.002, 0.01, 0.5, -0.3), asymmetry=0.25,
                                 both_sides=both_sides)  # fmt: skip
    found = motion_in(blocks, drawn_at)
    assert found.model == "shift"
    assert found.similarity.zoom == 1
    assert abs(found.asymmetry) == pytest.approx(0.25, abs=0.01)
    assert found.similarity.shift_x_px == pytest.approx(0.6, abs=0.02)


def test_standard_errors_cover_the_truth() -> None:
    truth = Similarity(1.004, 0.05, 3.0, 2.0)
    within = []
    for seed in range(8):
        found = motion_in(*blocks_of(truth, truth, seed=seed))
        for error, value, wanted in (
            (found.zoom_se, found.similarity.zoom, truth.zoom),
            (found.rotation_se_deg, found.similarity.rotation_deg, truth.rotation_deg),
            (found.shift_x_se_px, found.similarity.shift_x_px, truth.shift_x_px),
            (found.shift_y_se_px, found.similarity.shift_y_px, truth.shift_y_px),
        ):
            within.append(abs(value - wanted) < 2 * error)
    # Errors on real pairs exceed the scatter of their blocks, and standard errors are enlarged for that; with ideal
    # blocks all are within.
    assert np.mean(within) >= 0.95


def test_few_blocks_choose_nothing() -> None:
    blocks, drawn_at = blocks_of()
    assert choose_motion(blocks.some(np.arange(len(blocks)) < 20), drawn_at) is None


def test_an_object_that_moved_is_one_part_and_does_not_move_the_answer() -> None:
    truth = Similarity(1.004, 0.05, 3.0, 2.0)
    blocks, drawn_at = blocks_of(truth, truth, moved_px=2.0)
    choice = choose_motion(blocks, drawn_at)
    assert choice is not None
    fit, scatter = choice
    found = motion_of(fit, scatter, blocks, drawn_at)
    assert found.similarity.after(truth.inverse()).corner_px(*SIZE) < 0.05
    left = remaining(blocks, fit.predicted, scatter, found.parallax_px)
    assert left.in_one_part
    assert left.significant.sum() == 15
    assert left.median_px < 0.03
    shown = remaining_map(blocks, left)
    assert shown.shape == (15, 20)
    assert (shown > 1.5).sum() == 15
    assert (shown[3:] == 0).all()


def test_nothing_is_significant_where_the_motion_is_right() -> None:
    truth = Similarity(1.004, 0.05, 3.0, 2.0)
    blocks, drawn_at = blocks_of(truth, truth)
    choice = choose_motion(blocks, drawn_at)
    assert choice is not None
    left = remaining(blocks, choice[0].predicted, choice[1])
    assert (left.share, left.in_one_part) == (0, False)
    assert left.p95_px < 3 * NOISE_PX


def test_what_the_blur_explains_badly_is_not_significant() -> None:
    truth = Similarity()
    blocks, drawn_at = blocks_of(truth, truth, moved_px=2.0)
    mismatched = replace(blocks, unexplained=np.full(len(blocks), 3.0))
    choice = choose_motion(mismatched, drawn_at)
    assert choice is not None
    assert not remaining(mismatched, choice[0].predicted, choice[1]).significant.any()
