"""Settings of a synthesis, and the size of the part of a photograph that each pair needs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.camera import Camera
from sdd_bench.synthesis.camera_pair import margin_of

LANCZOS_TAPS_PX = 4
MIN_SIDE = 32
SIDE_MULTIPLE = 8
"""Automatically chosen sides are multiples of this."""


@dataclass(frozen=True)
class Synthesis:
    """Settings of a synthesis.

    Attributes:
        count: Number of pairs; None makes one per photograph, and more reuse photographs.
        size: Width and height of a pair in pixels; None takes the largest that the photograph allows.
        max_radius_px: Largest blur radius, reached in every pair.
        zoom_range: Smallest and largest zoom, drawn uniformly.
        shift_range_px: Shift right and down, each drawn uniformly from minus to plus this.
        rotation_range_deg: Rotation, drawn uniformly from minus to plus this.
        noise: Standard deviation of the blur image's noise, in counts of 255.
        seed: Random seed, combined with a pair's index.
        camera: All other ingredients of the camera; its zoom, rotation, shift, noise and largest radius are not used.

    Raises:
        UserError: A value is out of range.
    """

    count: int | None = None
    size: tuple[int, int] | None = None
    max_radius_px: float = 8.0
    zoom_range: tuple[float, float] = (0.98, 1.02)
    shift_range_px: float = 15.0
    rotation_range_deg: float = 0.2
    noise: float = 1.0
    seed: int = 0
    camera: Camera = field(default_factory=Camera)

    @classmethod
    def of_camera(cls, camera: Camera, **others: Any) -> Synthesis:
        """Return settings with a camera's zoom, rotation, shift, noise and largest radius unless they are given."""
        own = {
            "max_radius_px": float(camera.radius_high_px),
            "zoom_range": (1 - camera.zoom, 1 + camera.zoom),
            "shift_range_px": float(camera.shift_px),
            "rotation_range_deg": float(camera.rotation_deg),
            "noise": float(camera.noise),
        }
        return cls(camera=camera, **{**own, **others})

    def __post_init__(self) -> None:
        low, high = self.zoom_range
        checks = {
            f"count {self.count}: expected at least 1": self.count is None or self.count >= 1,
            f"zoom range {low:g} to {high:g}: expected the lower first, both from 0.5 to 2": 0.5 <= low <= high <= 2,
            f"shift range {self.shift_range_px:g} px: expected 0 to 1000": 0 <= self.shift_range_px <= 1000,
            f"rotation range {self.rotation_range_deg:g} degrees: expected 0 to 45": 0 <= self.rotation_range_deg <= 45,
            f"largest radius {self.max_radius_px:g} px: expected 0 to 64": 0 <= self.max_radius_px <= 64,
            f"noise {self.noise:g}: expected 0 to 64 counts of 255": 0 <= self.noise <= 64,
            f"seed {self.seed}: expected at least 0": self.seed >= 0,
            f"radius {self.camera.radius_low_px:g} to {self.max_radius_px:g} px: expected the lower first": (
                self.camera.radius_low_px <= self.max_radius_px or self.max_radius_px < 0
            ),
        }
        if self.size is not None:
            least = self._least_side()
            text = f"size {self.size[0]}x{self.size[1]}: expected sides of at least {least} px"
            checks[text + " (four times the largest radius)" * (least > MIN_SIDE)] = min(self.size) >= least
        for text, holds in checks.items():
            if not holds:
                raise UserError(text)

    def margin(self, width: int, height: int) -> tuple[int, int]:
        """Return the columns and rows of margin needed on each side of a frame so that nothing outside is sampled.

        >>> Synthesis(max_radius_px=2, zoom_range=(1, 1), shift_range_px=5, rotation_range_deg=0).margin(64, 48)
        (9, 9)
        """
        if not self.camera.is_similarity:
            rows, columns = margin_of(self.resolved_camera, width, height, self.zoom_range[1])
            return columns, rows
        angle = math.radians(self.rotation_range_deg)
        half_x, half_y = (width - 1) / 2, (height - 1) / 2
        zoom = self.zoom_range[1]
        sides = []
        for along, across in ((half_x, half_y), (half_y, half_x)):
            farthest = zoom * (along + across * math.sin(angle)) + self.shift_range_px - along
            sides.append(max(math.ceil(farthest) + LANCZOS_TAPS_PX, math.ceil(self.max_radius_px) + 1))
        return sides[0], sides[1]

    def frame(self, photo_width: int, photo_height: int) -> tuple[int, int, int, int]:
        """Return a pair's width and height, and the margins (columns, rows) around it, within a photograph.

        Raises:
            ValueError: The photograph is too small; the message states its size and the needed one.
        """
        found = f"{photo_width}x{photo_height}"
        if self.size is not None:
            width, height = self.size
            margin_x, margin_y = self.margin(width, height)
            need = (width + 2 * margin_x, height + 2 * margin_y)
            if photo_width < need[0] or photo_height < need[1]:
                raise ValueError(f"{found}, expected at least {need[0]}x{need[1]} for pairs of {width}x{height}")
            return width, height, margin_x, margin_y
        margin_x, margin_y = self.margin(photo_width, photo_height)
        width, height = (
            max(0, n - 2 * m) // SIDE_MULTIPLE * SIDE_MULTIPLE
            for n, m in ((photo_width, margin_x), (photo_height, margin_y))
        )
        least = self._least_side()
        if min(width, height) < least:
            text = f"margins of {margin_x} and {margin_y} px for zoom, shift and blur leave {width}x{height}"
            raise ValueError(f"{found}: {text}, expected sides of at least {least}")
        return width, height, *self.margin(width, height)

    @property
    def resolved_camera(self) -> Camera:
        """Camera in which these settings replace the ingredients that both have."""
        return dataclasses.replace(
            self.camera,
            zoom=max(abs(1 - limit) for limit in self.zoom_range),
            rotation_deg=self.rotation_range_deg,
            shift_px=self.shift_range_px,
            noise=self.noise,
            radius_high_px=self.max_radius_px,
        )

    def draw_similarity(self, rng: np.random.Generator) -> Similarity:
        """Return a random similarity from sharp to blur within the ranges."""
        turn, shift = self.rotation_range_deg, self.shift_range_px
        return Similarity(
            zoom=rng.uniform(*self.zoom_range),
            rotation_deg=rng.uniform(-turn, turn),
            shift_x_px=rng.uniform(-shift, shift),
            shift_y_px=rng.uniform(-shift, shift),
        )

    def _least_side(self) -> int:
        return max(MIN_SIDE, math.ceil(4 * self.max_radius_px))
