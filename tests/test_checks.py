"""Verdicts: each fault is found by its own figure and described, and a good pair has none."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from capture.checks import FIGURES, check_pair
from capture.verdict import ACCEPTED, REFUSED, WARNING, Limits, Measured, Verdict, verdict
from sdd_bench.io.images import to_pixels
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.disk import disk

Light = NDArray[np.float32]


@pytest.fixture(scope="module")
def linear() -> Light:
    return decode_srgb(skimage.data.astronaut().astype(np.float32) / 255) * np.float32(0.8)


def moved(light: Light, zoom: float = 1.008, shift: tuple[float, float] = (3.2, -1.4), turn: float = 0.0) -> Light:
    height, width = light.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), turn, zoom)
    matrix[:, 2] += shift
    return cv2.warpAffine(light, matrix, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)


def defocused(light: Light, radius_px: float = 4.0) -> Light:
    return cv2.filter2D(light, -1, disk(radius_px).astype(np.float32))


def shot(light: Light, seed: int = 0) -> NDArray[Any]:
    noise = np.random.default_rng(seed).normal(0, 0.002, light.shape).astype(np.float32)
    return to_pixels((encode_srgb(light.clip(0, 1)) + noise).clip(0, 1))


@pytest.fixture(scope="module")
def good(linear: Light) -> Measured:
    """Figures of a good pair."""
    return check_pair(shot(defocused(moved(linear))), shot(linear, 1))


def judged(blur: NDArray[Any], gt: NDArray[Any]) -> tuple[str, str]:
    found = verdict(check_pair(blur, gt), Limits(), gt.shape[1])
    return found.status, "; ".join(found.reasons)


def test_a_good_pair_is_accepted_and_its_figures_are_right(linear: Light) -> None:
    figures = check_pair(shot(defocused(moved(linear)) * np.float32([0.95, 1, 1])), shot(linear, 1))
    assert tuple(figures) == FIGURES
    assert figures["zoom"] == pytest.approx(1.008, abs=5e-5)
    assert figures["exposure_ratio"] == pytest.approx(1, abs=0.05)
    assert figures["red_ratio"] == pytest.approx(0.95, abs=0.03)
    assert (figures["dead_pixels"], figures["dust_spots"]) == (0, 0)
    assert verdict(figures, Limits(), 512) == Verdict(ACCEPTED, ())
    assert verdict(figures, Limits(zoom=0.005), 512).reasons == ("zoom 1.0080, expected within 0.005 of 1",)


CASES: dict[str, tuple[Callable[[Light], tuple[NDArray[Any], NDArray[Any]]], str, str]] = {
    "swapped": (lambda x: (shot(x), shot(defocused(moved(x)), 1)), REFUSED, "are the roles swapped"),
    "no blur": (lambda x: (shot(moved(x)), shot(x, 1)), REFUSED, "gt is sharper in only 1.1%"),
    "wall": (lambda x: (shot(defocused(x * 0 + 0.3)), shot(x * 0 + 0.3, 1)), REFUSED, "too little texture"),
    "other scene": (
        lambda x: (shot(defocused(x)), shot(np.roll(x[::-1, ::-1], 160, 0), 1)), REFUSED, "cannot be measured",
    ),
    "upside down": (
        lambda x: (shot(defocused(x[::-1, ::-1])), shot(x, 1)), REFUSED, "gt is turned by 180 degrees against blur",
    ),
    "darker": (lambda x: (shot(defocused(x) * 0.5), shot(x, 1)), WARNING, "light of blur is 0.5"),
    "tinted": (
        lambda x: (shot(defocused(x) * np.float32([0.7, 1, 1])), shot(x, 1)), WARNING, "red to green of blur is 0.7",
    ),
    "clipped": (lambda x: (shot(defocused(x) * 3), shot(x * 3, 1)), WARNING, "of gt is clipped"),
    "far off": (lambda x: (shot(defocused(moved(x, shift=(20, 0)))), shot(x, 1)), WARNING, "shift 20.0 px"),
    "turned": (lambda x: (shot(defocused(moved(x, turn=1.5))), shot(x, 1)), WARNING, "rotation"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_fault_is_named(name: str, linear: Light) -> None:
    make, status, words = CASES[name]
    picture = linear if name == "no blur" else linear[:320, 96:416]  # the named share is that of the whole image
    found, said = judged(*make(picture))
    assert words in said
    assert found == status


def test_a_camera_that_shook_is_a_warning(good: Measured) -> None:
    assert math.isnan(float(good["direction_db"]))
    assert "did the camera shake" in verdict({**good, "direction_db": 15.0}, Limits(), 512).reasons[0]


def test_a_stack_whose_frames_are_sharp_elsewhere_is_a_warning(linear: Light) -> None:
    seen, soft = moved(linear), defocused(linear)
    blur = np.hstack([defocused(seen)[:, :256], seen[:, 256:]])
    status, said = judged(shot(blur), shot(np.hstack([linear[:, :256], soft[:, 256:]]), 1))
    assert status == WARNING
    assert "is gt in focus everywhere" in said


@pytest.mark.parametrize(
    ("side_px", "moved_px"),
    [(150, 3), *(pytest.param(*sizes, marks=pytest.mark.long) for sizes in ((250, 6), (150, 10)))],
)
def test_something_that_moved_is_a_warning(side_px: int, moved_px: int, linear: Light) -> None:
    blur, end = moved(linear), 100 + side_px
    blur[100:end, 150 : 150 + side_px] = blur[100 + moved_px : end + moved_px, 150 : 150 + side_px]
    figures = check_pair(shot(defocused(blur, 3)), shot(linear, 1))
    assert figures["displaced_px"] == pytest.approx(moved_px, abs=0.5)
    assert 0.02 < float(figures["displaced_share"]) < 1.5 * side_px**2 / 512**2
    found = verdict(figures, Limits(), 512)
    share = 100 * float(figures["displaced_share"])
    about = f"{float(figures['displaced_px']):.1f} px"
    words = f"something moved between the shots in {share:.1f} % of the frame, by about {about}"
    assert found.status == WARNING
    assert found.reasons[0] == words


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"kind": "moved", "residual_share": 0.021}, "something moved between the shots in 2.1 % of the frame"),
        (
            {"kind": "nonrigid", "residual_share": 0.12, "residual_median_px": 0.3, "residual_p95_px": 1.7},
            "after alignment 0.30 px remain in the median and 1.70 px in one part of twenty, expected at most 0.75: "
            "did something move, or do depths differ?",
        ),
        ({"kind": "nonrigid", "residual_share": 0.12, "residual_p95_px": 0.5}, ""),
        (
            {"kind": "parallax", "parallax_px": 2.34},
            "parallax 2.34 px between near and far, expected at most 2",
        ),
        (
            {"kind": "distortion", "distortion_px": -2.5},
            "distortion -2.50 px at the corners, expected at most 2 inwards or outwards",
        ),
        ({"kind": "parallax", "parallax_px": 0.5, "distortion_px": 0.5}, ""),
    ],
)
def test_each_kind_of_motion_has_its_words(changed: dict[str, float | str], words: str, good: Measured) -> None:
    assert verdict({**good, **changed}, Limits(), 512).reasons == ((words,) if words else ())


def test_what_stands_still_is_a_warning(linear: Light) -> None:
    shots = []
    for seed, light in enumerate((defocused(moved(linear, shift=(9.2, -5.4))), linear.copy())):
        light[30:480:50, 20:490:60] = (1, 0, 0)
        shots.append(shot(light, seed))
    figures = check_pair(*shots)
    found = verdict(figures, Limits(), 512)
    assert figures["dead_pixels"] > 40
    assert found.status == WARNING
    assert f"{figures['dead_pixels']} spots stand still while the picture moves: dead pixels?" in found.reasons


@pytest.mark.parametrize(
    ("dead", "dust", "words"),
    [
        (1, 0, ()),
        (2, 2, ("2 spots stand still while the picture moves: dead pixels?",)),
        (0, 3, ("3 spots stand still while the picture moves: dust on the sensor?",)),
        (math.nan, math.nan, ()),
    ],
)
def test_few_spots_and_unknown_ones_are_no_warning(
    dead: float, dust: float, words: tuple[str, ...], good: Measured
) -> None:
    figures = {**good, "dead_pixels": dead, "dust_spots": dust}
    assert verdict(figures, Limits(), 512).reasons == words


def test_spots_are_unknown_where_the_motion_is(linear: Light) -> None:
    figures = check_pair(shot(defocused(linear[::-1, ::-1])), shot(linear, 1))
    for name in ("dead_pixels", "dust_spots", "displaced_share", "displaced_px"):
        assert math.isnan(float(figures[name]))


def test_a_motion_that_is_not_sure_is_a_warning(good: Measured) -> None:
    found = verdict({**good, "confidence": 0.31}, Limits(), 512)
    assert found.reasons == ("the motion is not sure: confidence 0.31, expected 0.5",)
    assert verdict({**good, "confidence": 0.31}, Limits(confidence=0.3), 512).status == ACCEPTED
