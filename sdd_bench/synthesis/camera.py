"""Camera model: all effects between a scene and the two images of a pair."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

SPREADS = ("disk", "gaussian")
SCENES = ("random", "ramp", "steps", "through-focus", "flat")

BOUNDS: dict[str, tuple[float, float]] = {
    "zoom": (0, 0.5),
    "rotation_deg": (0, 45),
    "shift_px": (0, 1000),
    "parallax_px": (0, 64),
    "axial_parallax_px": (0, 64),
    "distortion_px": (0, 64),
    "cats_eye": (0, 1.5),
    "ring": (-1, 1),
    "radius_red": (0.5, 2),
    "radius_blue": (0.5, 2),
    "lateral_colour_px": (0, 8),
    "gain": (0.25, 4),
    "gain_red": (0.5, 2),
    "gain_blue": (0.5, 2),
    "tone": (0.5, 2),
    "vignetting": (0, 0.9),
    "moved_share": (0, 0.5),
    "moved_px": (0, 64),
    "noise": (0, 64),
    "sharp_noise": (0, 64),
    "jpeg_quality": (0, 100),
    "radius_low_px": (0, 64),
    "radius_high_px": (0, 64),
}
"""Smallest and largest value of every numeric ingredient."""

CHOICES = {"spread": SPREADS, "scene": SCENES}
"""Valid values of every text ingredient."""


@dataclass(frozen=True)
class Camera:
    """Ingredients of a pair's camera; the defaults are the camera `similarity`.

    A value is a strength. Ingredients with a direction or a sign (rotation, shift, parallax, distortion, cat's eye,
    gain, tone, motion) get it at random in each pair, at this strength; only zoom, rotation and shift are drawn from a
    range. p is a pixel of the blur image, c the centre of the frame, R the distance from the centre to a corner pixel,
    r = |p - c|, and the signed defocus is linear in inverse depth, larger for nearer objects.

    Attributes:
        zoom: Zoom from sharp to blur, drawn uniformly from 1 minus this to 1 plus this.
        rotation_deg: Rotation from sharp to blur, drawn uniformly from minus to plus this.
        shift_px: Shift right and down from sharp to blur, each drawn uniformly from minus to plus this.
        parallax_px: Displacement of the nearest relative to the farthest visible surface, linear in inverse depth.
        axial_parallax_px: The same in radial direction at r = R; it falls to 0 at the centre.
        distortion_px: Radial displacement at r = R: px (r/R)^2 (p - c)/R.
        cats_eye: The point spread is the overlap of two disks; the centre of the second is displaced radially from the
            true point by this times r/R times the signed defocus.
        ring: Coefficient of the point spread's intensity 1 + ring (2 rho^2 - 1), with rho the distance from the true
            point divided by the radius; negative is brighter in the middle.
        spread: Shape of the point spread: "disk", or "gaussian" with the same variance.
        radius_red: Blur radius of red divided by that of green.
        radius_blue: Blur radius of blue divided by that of green.
        lateral_colour_px: Lateral colour at r = R: outward displacement of red and inward displacement of blue in the
            blur image.
        gain: Linear light of the blur image divided by that of the sharp image, or its reciprocal.
        gain_red: Gain of red divided by that of green, or its reciprocal.
        gain_blue: Gain of blue divided by that of green, or its reciprocal.
        tone: Exponent applied to the sRGB values of the blur image, or its reciprocal.
        vignetting: Share of linear light that the blur image loses at r = R, proportional to (r/R)^2.
        moved_share: Share of the frame that moves between the shots: a piece of the surface that it lies on.
        moved_px: Distance by which it moves.
        noise: Standard deviation of the blur image's noise in counts of 255.
        sharp_noise: Standard deviation of the sharp image's noise in counts of 255.
        jpeg_quality: JPEG quality at which both images are compressed; 0 for no compression.
        scene: Kind of depth map, one of `SCENES`.
        radius_low_px: Smallest blur radius; if over 0, the whole scene lies on one side of the focal plane.
        radius_high_px: Largest blur radius, reached in every pair.

    Raises:
        ValueError: Values are out of range or exclude each other; all are named.
    """

    zoom: float = 0.02
    rotation_deg: float = 0.2
    shift_px: float = 15.0
    parallax_px: float = 0.0
    axial_parallax_px: float = 0.0
    distortion_px: float = 0.0
    cats_eye: float = 0.0
    ring: float = 0.0
    spread: str = "disk"
    radius_red: float = 1.0
    radius_blue: float = 1.0
    lateral_colour_px: float = 0.0
    gain: float = 1.0
    gain_red: float = 1.0
    gain_blue: float = 1.0
    tone: float = 1.0
    vignetting: float = 0.0
    moved_share: float = 0.0
    moved_px: float = 0.0
    noise: float = 1.0
    sharp_noise: float = 0.0
    jpeg_quality: int = 0
    scene: str = "random"
    radius_low_px: float = 0.0
    radius_high_px: float = 8.0

    def __post_init__(self) -> None:
        faults = []
        for name, (least, most) in BOUNDS.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                faults.append(f"{name} {value!r}: expected a number from {least:g} to {most:g}")
            elif not least <= value <= most:
                faults.append(f"{name} {value:g}: expected {least:g} to {most:g}")
        if isinstance(self.jpeg_quality, float) and self.jpeg_quality % 1:
            faults.append(f"jpeg_quality {self.jpeg_quality:g}: expected a whole number")
        faults += [
            f"{name} {getattr(self, name)!r}: expected one of {', '.join(choices)}"
            for name, choices in CHOICES.items()
            if getattr(self, name) not in choices
        ]
        if not faults:
            if self.radius_low_px > self.radius_high_px:
                faults.append(f"radius {self.radius_low_px:g} to {self.radius_high_px:g} px: expected the lower first")
            if self.spread == "gaussian" and (self.cats_eye or self.ring):
                faults.append("spread gaussian has no cat's eye and no ring: set cats_eye and ring to 0")
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def is_similarity(self) -> bool:
        """Whether the pair is a similarity under disk blur, which `known_pair` synthesises."""
        same = {name: getattr(self, name) for name in SIMILARITY_INGREDIENTS}
        return self == dataclasses.replace(Camera(), **same)

    @property
    def displacement_px(self) -> float:
        """Largest displacement of a pixel from its place by the similarity alone."""
        moved = self.moved_px if self.moved_share else 0.0
        return (self.parallax_px + self.axial_parallax_px) / 2 + self.distortion_px + moved

    @property
    def blur_reach_px(self) -> float:
        """Largest distance outside the frame from which the blur image receives light."""
        spread = 2.0 if self.spread == "gaussian" else 1.0  # a Gaussian is truncated at four standard deviations
        colours = max(1.0, self.radius_red, self.radius_blue)
        lateral = self.lateral_colour_px + 7 if self.lateral_colour_px else 0.0
        return self.radius_high_px * spread * colours + lateral + 1


SIMILARITY_INGREDIENTS = ("zoom", "rotation_deg", "shift_px", "noise", "radius_high_px")
"""Ingredients that command-line options also set."""
