"""Scores of predictions of known quality under the protocols: one photograph here, the full table in benchmarks/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from known import KnownPair
from numpy.typing import NDArray

from sdd_bench.evaluation.diagnostics import diagnose, why_flagged
from sdd_bench.evaluation.protocol import PROTOCOLS, truth_for
from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.anchor import find_anchor
from sdd_bench.registration.flow import load_flow
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Bench:
    """A known pair with its anchored truth, and the blur image's own diagnostics."""

    pair: KnownPair
    truth: Image
    mask: NDArray[np.bool_]
    blur: dict[str, float | None]

    def anchored(self, restored: Image) -> float:
        return psnr_db(restored, self.truth, self.mask)

    def oracle(self, restored: Image) -> float:
        return psnr_db(restored, self.pair.aligned, self.mask)

    def paper(self, restored: Image) -> float:
        return psnr_db(restored, truth_for(restored, self.pair.sharp, PROTOCOLS["paper/1"], load_flow("dis")))

    def flags(self, restored: Image) -> list[str]:
        own = {f"blur_{key}": value for key, value in self.blur.items()}
        return why_flagged({**diagnose(restored, self.truth, self.mask), **own})


@pytest.fixture(scope="module")
def bench(make_known: Callable[..., KnownPair]) -> Bench:
    pair = make_known(Similarity(1.01, 0.05, 5.3, -3.6), 3)
    anchor = find_anchor(pair.blur, pair.sharp)
    truth = to_float(to_pixels(anchor.draw(pair.sharp), 16))
    return Bench(pair, truth, anchor.mask, diagnose(pair.blur, truth, anchor.mask))


@pytest.fixture(scope="module")
def honest(bench: Bench) -> Image:
    """A prediction of about 33 dB: slightly soft, slightly sharpened, slightly noisy."""
    soft = cv2.GaussianBlur(bench.pair.aligned, (0, 0), 0.75)
    sharpened = soft + 0.4 * (soft - cv2.GaussianBlur(soft, (0, 0), 1.5))
    restored = as_file(sharpened + np.random.default_rng(4).normal(0, 0.012, soft.shape))
    assert 31 < bench.oracle(restored) < 35
    return restored


def as_file(image: NDArray[np.floating]) -> Image:
    return np.asarray(to_float(to_pixels(np.clip(image, 0, 1))), np.float32)


def drawn(image: Image, similarity: Similarity) -> Image:
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    at = similarity.inverse().apply(np.stack([x, y], axis=-1), width, height)
    return as_file(sample(image, at[..., 0], at[..., 1], "bandlimited"))


def test_a_perfect_prediction_is_not_capped(bench: Bench) -> None:
    assert bench.anchored(bench.pair.aligned) > 40
    assert bench.paper(bench.pair.aligned) < 40
    assert bench.flags(bench.pair.aligned) == []


def test_an_honest_prediction_scores_as_the_oracle_says(bench: Bench, honest: Image) -> None:
    assert bench.anchored(honest) == pytest.approx(bench.oracle(honest), abs=0.05)
    assert bench.flags(honest) == []


def test_a_shift_of_one_pixel_costs_here_and_not_under_paper(bench: Bench, honest: Image) -> None:
    shifted = drawn(honest, Similarity(shift_x_px=1.0))
    assert bench.anchored(honest) - bench.anchored(shifted) > 2.5
    assert bench.paper(honest) - bench.paper(shifted) < 0.5
    assert bench.flags(shifted)


@pytest.mark.parametrize("bent", [Similarity(1.02), Similarity(shift_x_px=4), Similarity(rotation_deg=0.5)])
def test_a_bent_prediction_is_scored_as_by_the_oracle_and_flagged(
    bench: Bench, honest: Image, bent: Similarity
) -> None:
    restored = drawn(honest, bent)
    assert bench.anchored(restored) == pytest.approx(bench.oracle(restored), abs=0.05)
    assert bench.anchored(restored) < bench.anchored(honest) - 3
    assert bench.flags(restored)


def test_garbage_never_gains(bench: Bench, honest: Image) -> None:
    rng = np.random.default_rng(9)
    spoilt = honest.copy()
    for top in range(0, spoilt.shape[0] - 32, 64):
        for left in range(0, spoilt.shape[1] - 32, 64):
            spoilt[top : top + 32, left : left + 32] = rng.random((32, 32, 3))
    assert bench.anchored(spoilt) == pytest.approx(bench.oracle(spoilt), abs=0.05)
    assert bench.anchored(spoilt) < bench.anchored(honest) - 10


def test_a_sharper_truer_prediction_beats_a_smoother_one(bench: Bench) -> None:
    aligned = bench.pair.aligned
    smooth = as_file(cv2.GaussianBlur(aligned, (0, 0), 1.8))
    soft = cv2.GaussianBlur(aligned, (0, 0), 1.25)
    sharper = as_file(soft + 0.9 * (soft - cv2.GaussianBlur(soft, (0, 0), 1.2)))
    assert bench.oracle(sharper) > bench.oracle(smooth) + 0.5
    assert bench.anchored(sharper) - bench.anchored(smooth) == pytest.approx(
        bench.oracle(sharper) - bench.oracle(smooth), abs=0.05
    )
