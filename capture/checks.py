"""Whether a pair can be trusted: what is measured on its two shots, the limits, and the verdict with its reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
from numpy.typing import NDArray

from capture.figures import light_ratios, measure
from capture.shake import SHAKEN_DB, direction_db
from sdd_bench.geometry.align import analyse
from sdd_bench.geometry.analysis import NUMBERS
from sdd_bench.image_io import to_float

ACCEPTED, WARNING, REFUSED = "accepted", "warning", "refused"

FIGURES = (
    "sharpness_ratio", "exposure_ratio", "red_ratio", "blue_ratio", "clipped_blur", "clipped_gt", "texture",
    "direction_db", *NUMBERS, "confidence", "kind",
)  # fmt: skip
"""Names of what `check_pair` measures; those of the analyser as in misalignment.csv."""


@dataclass(frozen=True)
class Limits:
    """From where on a pair is refused or warned of; session.toml may change them under [limits].

    Attributes:
        sharpness_ratio: Least sharpness of gt over that of blur; under it the pair is refused.
        exposure_ratio: Largest ratio of light between the shots, either way.
        white_balance_ratio: Largest ratio of red to green, and of blue to green, between the shots, either way.
        clipped: Largest share of clipped pixels in either shot.
        texture: Least texture of the gt shot; under it the pair is refused.
        direction_db: Of the gt shot; over it camera shake is suspected.
        zoom: Largest difference from 1 of the zoom between the shots.
        shift: Largest shift, as a share of the width.
        rotation_deg: Largest rotation, either way.
    """

    sharpness_ratio: float = 1.1
    exposure_ratio: float = 1.3
    white_balance_ratio: float = 1.1
    clipped: float = 0.05
    texture: float = 0.01
    direction_db: float = SHAKEN_DB
    zoom: float = 0.05
    shift: float = 0.03
    rotation_deg: float = 1.0


@dataclass(frozen=True)
class Verdict:
    """What is made of a pair.

    Attributes:
        status: `accepted`, `warning` or `refused`.
        reasons: In words, those for a refusal first.
    """

    status: str
    reasons: tuple[str, ...]


def check_pair(blur: NDArray[Any], gt: NDArray[Any]) -> dict[str, Any]:
    """Return the figures of a pair, by the names of `FIGURES`.

    Ratios are blur over gt, but for the sharpness, which is gt over blur.

    Args:
        blur: (H, W, 3) uint8 or uint16 RGB.
        gt: The same shape.
    """
    images = to_float(blur), to_float(gt)
    of_blur, of_gt = measure(images[0]), measure(images[1])
    red, green, blue = light_ratios(*images)
    return {
        "sharpness_ratio": of_gt.sharpness / max(of_blur.sharpness, 1e-12),
        "exposure_ratio": green,
        "red_ratio": red / green,
        "blue_ratio": blue / green,
        "clipped_blur": of_blur.clipped,
        "clipped_gt": of_gt.clipped,
        "texture": of_gt.texture,
        "direction_db": direction_db(cv2.cvtColor(images[1], cv2.COLOR_RGB2GRAY)),
        **analyse(*images).row(),
    }


def verdict(figures: Mapping[str, Any], limits: Limits, width: int) -> Verdict:
    """Return what is made of a pair's figures.

    Refused: blur as sharp as gt or sharper, too little texture, motion that the analyser cannot follow. All else is
    a warning.

    Args:
        figures: Of `check_pair`.
        limits: The session's.
        width: Of the images, in pixels.
    """
    refusals, warnings = [], []
    sharper = figures["sharpness_ratio"]
    if sharper < 1 / limits.sharpness_ratio:
        refusals.append(f"blur is {1 / max(sharper, 1e-9):.2f} times as sharp as gt: are the roles swapped?")
    elif sharper < limits.sharpness_ratio:
        refusals.append(f"gt is only {sharper:.2f} times as sharp as blur, expected {limits.sharpness_ratio:g}")
    if figures["texture"] < limits.texture:
        refusals.append(f"too little texture: {figures['texture']:.4f}, expected {limits.texture:g}")
    if figures["kind"] == "failed":
        refusals.append("the motion between the shots cannot be measured")
    else:
        warnings += _motion(figures, limits, width)
    for name, words, limit in (
        ("exposure_ratio", "light", limits.exposure_ratio),
        ("red_ratio", "red to green", limits.white_balance_ratio),
        ("blue_ratio", "blue to green", limits.white_balance_ratio),
    ):
        if not 1 / limit <= figures[name] <= limit:
            found = figures[name]
            warnings.append(f"{words} of blur is {found:.2f} times that of gt, expected at most {limit:g} either way")
    for role in ("blur", "gt"):
        share = figures[f"clipped_{role}"]
        if share > limits.clipped:
            warnings.append(f"{share:.1%} of {role} is clipped, expected at most {limits.clipped:.1%}")
    if figures["direction_db"] > limits.direction_db:
        warnings.append(f"gt lacks detail in one direction ({figures['direction_db']:.1f} dB): did the camera shake?")
    status = REFUSED if refusals else WARNING if warnings else ACCEPTED
    return Verdict(status, (*refusals, *warnings))


def _motion(figures: Mapping[str, Any], limits: Limits, width: int) -> list[str]:
    """Return what is unusual about a motion that could be measured."""
    found = []
    if figures["kind"] == "nonrigid":
        moved = figures["residual_p95_px"]
        found.append(f"something moved between the shots, or depths differ: {moved:.2f} px remain after alignment")
    if abs(figures["zoom"] - 1) > limits.zoom:
        found.append(f"zoom {figures['zoom']:.4f}, expected within {limits.zoom:g} of 1")
    shift = math.hypot(figures["shift_x_px"], figures["shift_y_px"])
    if shift > limits.shift * width:
        found.append(f"shift {shift:.1f} px, expected at most {limits.shift * width:.1f}")
    if abs(figures["rotation_deg"]) > limits.rotation_deg:
        found.append(f"rotation {figures['rotation_deg']:.2f} degrees, expected at most {limits.rotation_deg:g}")
    return found
