"""Verdict on a pair: limits, the ranges that they allow, and reasons in words."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import PlainValidator

from capture.shake import SHAKEN_DB
from sdd_bench.registration.mix_ups import SWAPPED_TIMES


def _at_least(least: float) -> PlainValidator:
    """Return a validator that limits a field to finite numbers from a least one on and keeps integers as integers."""

    def check(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < math.inf:
            raise ValueError(f"expected a number of at least {least}")
        return value

    return PlainValidator(check)


AtLeast0 = Annotated[float, _at_least(0)]
AtLeast1 = Annotated[float, _at_least(1)]

Measured = Mapping[str, float | str]
"""Figures of a pair by the names of `capture.checks.FIGURES`: numbers, NaN if not measured, and `TEXTS`."""

TEXTS = ("model", "kind", "turn")

UNEXPLAINED = ("moved", "failed")
"""Kinds of motion that give a reason."""

ACCEPTED, WARNING, REFUSED = "accepted", "warning", "refused"


@dataclass(frozen=True)
class Limits:
    """Thresholds for refusing or flagging a pair; session.toml may change them under [limits].

    Attributes:
        gt_sharper: Least share of the textured frame in which gt is clearly sharper; below it the pair is refused.
        blur_sharper: Largest share of the textured frame in which blur is clearly sharper.
        exposure_ratio: Largest ratio of light between the shots, in either direction.
        white_balance_ratio: Largest ratio of red to green, and of blue to green, between the shots, in either
            direction.
        clipped: Largest share of clipped pixels in either shot.
        texture: Least texture of the gt shot; below it the pair is refused.
        direction_db: Largest anisotropy of fine detail in the gt shot, in dB; above it camera shake is suspected.
        dead_pixels: Largest number of dead pixels. In 84 pairs without defects made from half of 13 photographs there
            were 0; in real focus stacks with parallax at most 1.
        dust_spots: Largest number of dust spots. In the same 84 pairs there were 0; in the focus stacks at most 2.
        displaced_share: Largest share of the frame that is displaced after alignment.
        confidence: Least confidence in the motion, which is the share of similar pairs whose corners are located within
            0.25 px.
        residual_p95_px: Largest displacement after alignment in 95 % of the frame. A pair gets no warning for its kind
            `nonrigid` alone, which small frames with little texture have at 0.5 px.
        zoom: Largest difference of the zoom between the shots from 1.
        shift: Largest shift, as a share of the width.
        rotation_deg: Largest rotation, in either direction.
        distortion_px: Largest displacement of the corners by distortion, inwards or outwards.
        parallax_px: Largest displacement between near and far objects.
    """

    gt_sharper: AtLeast0 = 0.05
    blur_sharper: AtLeast0 = 0.1
    exposure_ratio: AtLeast1 = 1.3
    white_balance_ratio: AtLeast1 = 1.1
    clipped: AtLeast0 = 0.05
    texture: AtLeast0 = 0.01
    direction_db: AtLeast0 = SHAKEN_DB
    dead_pixels: AtLeast0 = 1
    dust_spots: AtLeast0 = 2
    displaced_share: AtLeast0 = 0
    confidence: AtLeast0 = 0.5
    residual_p95_px: AtLeast0 = 0.75
    zoom: AtLeast0 = 0.05
    shift: AtLeast0 = 0.035
    rotation_deg: AtLeast0 = 1.0
    distortion_px: AtLeast0 = 2.0
    parallax_px: AtLeast0 = 2.0


@dataclass(frozen=True)
class Verdict:
    """Verdict on a pair.

    Attributes:
        status: `accepted`, `warning` or `refused`.
        reasons: In words, those for a refusal first.
    """

    status: str
    reasons: tuple[str, ...]


def allowed(limits: Limits, width: int) -> dict[str, tuple[float, float]]:
    """Return the least and the largest value of each figure that give no reason.

    Args:
        limits: Limits of the session.
        width: Width of the images, in pixels.

    Returns:
        Ranges by figure, where `shift_px` is the shift's length; figures without a limit are left out.

    >>> allowed(Limits(), 4096)["zoom"]
    (0.95, 1.05)
    """
    exposure, balance = limits.exposure_ratio, limits.white_balance_ratio
    return {
        "gt_sharper": (limits.gt_sharper, math.inf),
        "blur_sharper": (-math.inf, limits.blur_sharper),
        "texture": (limits.texture, math.inf),
        "exposure_ratio": (1 / exposure, exposure),
        "red_ratio": (1 / balance, balance),
        "blue_ratio": (1 / balance, balance),
        "clipped_blur": (-math.inf, limits.clipped),
        "clipped_gt": (-math.inf, limits.clipped),
        "direction_db": (-math.inf, limits.direction_db),
        "dead_pixels": (-math.inf, limits.dead_pixels),
        "dust_spots": (-math.inf, limits.dust_spots),
        "displaced_share": (-math.inf, limits.displaced_share),
        "confidence": (limits.confidence, math.inf),
        "residual_p95_px": (-math.inf, limits.residual_p95_px),
        "zoom": (1 - limits.zoom, 1 + limits.zoom),
        "shift_px": (-math.inf, limits.shift * width),
        "rotation_deg": (-limits.rotation_deg, limits.rotation_deg),
        "distortion_px": (-limits.distortion_px, limits.distortion_px),
        "parallax_px": (-math.inf, limits.parallax_px),
    }


def with_shift(figures: Measured) -> dict[str, float | str]:
    """Return figures with `shift_px`, the shift's length, inserted after its components."""
    found: dict[str, float | str] = {}
    for name, value in figures.items():
        found[name] = value
        if name == "shift_y_px":
            found["shift_px"] = math.hypot(float(figures["shift_x_px"]), float(value))
    return found


def beyond(name: str, value: float | str, limits: Limits, width: int) -> bool:
    """Return whether a figure is beyond its limit; false if it was not measured."""
    if isinstance(value, str):
        return value in UNEXPLAINED if name == "kind" else name == "turn" and value != ""
    least, most = allowed(limits, width).get(name, (-math.inf, math.inf))
    return not (math.isnan(value) or least <= value <= most)


def verdict(figures: Measured, limits: Limits, width: int, tags: str = "") -> Verdict:
    """Return the verdict on a pair's figures.

    A pair is refused if gt is rotated or mirrored against blur, hardly sharper than blur or swapped with it, if there
    is too little texture, or if the analyser cannot follow the motion. All other reasons are warnings. For rotated
    shots no reason is given about their motion, and for swapped shots none about the residual, because the analyser
    assumes that blur is the blurred shot.

    Args:
        figures: Result of `capture.checks.check_pair`.
        limits: Limits of the session.
        width: Width of the images, in pixels.
        tags: Statement that the orientation tags of the two files differ, in words; empty if they agree.
    """
    exceeded = {name for name, value in with_shift(figures).items() if beyond(name, value, limits, width)}
    found = {name: value for name, value in with_shift(figures).items() if not isinstance(value, str)}
    refusals, warnings = [], []
    gt_sharper, blur_sharper = found["gt_sharper"], found["blur_sharper"]
    turned = "turn" in exceeded
    swapped = "blur_sharper" in exceeded and blur_sharper > SWAPPED_TIMES * gt_sharper
    if turned:
        refusals.append(f"gt is {figures['turn']} against blur")
    elif swapped:
        refusals.append(f"blur is the sharper one in {blur_sharper:.0%} of the frame: are the roles swapped?")
    else:
        if "gt_sharper" in exceeded:
            refusals.append(f"gt is sharper in only {gt_sharper:.1%} of the frame, expected {limits.gt_sharper:.1%}")
        if "blur_sharper" in exceeded:
            warnings.append(f"blur is sharper than gt in {blur_sharper:.0%} of the frame: is gt in focus everywhere?")
    if "texture" in exceeded:
        refusals.append(f"too little texture: {found['texture']:.4f}, expected {limits.texture:g}")
    if figures["kind"] == "failed" and not turned:
        refusals.append("the motion between the shots cannot be measured")
    if not (turned or swapped):
        warnings += _of_rest(found, exceeded, str(figures["kind"]), limits)
    if tags:
        warnings.append(tags)
    if not turned:
        warnings += _of_motion(found, exceeded, limits, width)
    warnings += _of_light(found, exceeded, limits)
    if "direction_db" in exceeded:
        warnings.append(f"gt lacks detail in one direction ({found['direction_db']:.1f} dB): did the camera shake?")
    for name, words in (("dead_pixels", "dead pixels?"), ("dust_spots", "dust on the sensor?")):
        if name in exceeded:
            count = f"{found[name]:.0f} spot{'s stand' if found[name] > 1 else ' stands'}"
            warnings.append(f"{count} still while the picture moves: {words}")
    status = REFUSED if refusals else WARNING if warnings else ACCEPTED
    return Verdict(status, (*refusals, *warnings))


def _of_rest(found: Mapping[str, float], exceeded: set[str], kind: str, limits: Limits) -> list[str]:
    """Return the reasons about displacements that no motion of the whole frame explains."""
    words = []
    if "confidence" in exceeded and kind != "failed":
        words.append(f"the motion is not sure: confidence {found['confidence']:.2f}, expected {limits.confidence:g}")
    if "displaced_share" in exceeded:
        share, px = f"{100 * found['displaced_share']:.1f} %", f"{found['displaced_px']:.1f} px"
        words.append(f"something moved between the shots in {share} of the frame, by about {px}")
    elif kind == "moved":
        words.append(f"something moved between the shots in {100 * found['residual_share']:.1f} % of the frame")
    if "residual_p95_px" in exceeded:
        left = f"{found['residual_p95_px']:.2f} px in one part of twenty, expected at most {limits.residual_p95_px:g}"
        median = f"{found['residual_median_px']:.2f} px remain in the median"
        words.append(f"after alignment {median} and {left}: did something move, or do depths differ?")
    return words


def _of_motion(found: Mapping[str, float], exceeded: set[str], limits: Limits, width: int) -> list[str]:
    """Return the reasons about a measured motion."""
    words = []
    if "zoom" in exceeded:
        words.append(f"zoom {found['zoom']:.4f}, expected within {limits.zoom:g} of 1")
    if "shift_px" in exceeded:
        words.append(f"shift {found['shift_px']:.1f} px, expected at most {limits.shift * width:.1f}")
    if "rotation_deg" in exceeded:
        words.append(f"rotation {found['rotation_deg']:.2f} degrees, expected at most {limits.rotation_deg:g}")
    if "distortion_px" in exceeded:
        px = f"{found['distortion_px']:.2f} px"
        words.append(f"distortion {px} at the corners, expected at most {limits.distortion_px:g} inwards or outwards")
    if "parallax_px" in exceeded:
        px = f"{found['parallax_px']:.2f} px"
        words.append(f"parallax {px} between near and far, expected at most {limits.parallax_px:g}")
    return words


def _of_light(found: Mapping[str, float], exceeded: set[str], limits: Limits) -> list[str]:
    """Return the reasons about differences in light and about clipping."""
    words = []
    for name, what, limit in (
        ("exposure_ratio", "light", limits.exposure_ratio),
        ("red_ratio", "red to green", limits.white_balance_ratio),
        ("blue_ratio", "blue to green", limits.white_balance_ratio),
    ):
        if name in exceeded:
            words.append(f"{what} of blur is {found[name]:.2f} times that of gt, expected at most {limit:g} either way")
    for role in ("blur", "gt"):
        if f"clipped_{role}" in exceeded:
            share = found[f"clipped_{role}"]
            words.append(f"{share:.1%} of {role} is clipped, expected at most {limits.clipped:.1%}")
    return words
