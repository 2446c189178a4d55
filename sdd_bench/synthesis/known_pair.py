"""One pair with known truth: the settings, what they need of a photograph, and how the pictures are drawn."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample
from sdd_bench.synthesis.defocus import FloatArray, blur_radius_map, defocus
from sdd_bench.synthesis.scene import draw_layers

TRUTH_COLUMNS = ("name", "zoom", "shift_x_px", "shift_y_px", "rotation_deg", "max_radius_px")
ROLES = ("blur", "gt", "truth/aligned", "truth/blur_radius")
RADIUS_SCALE = 256
LANCZOS_TAPS_PX = 4
MIN_SIDE = 32
SIDE_MULTIPLE = 8
"""Sides chosen from a photograph are multiples of this."""


@dataclass(frozen=True)
class Synthesis:
    """What the pairs shall be like.

    Attributes:
        count: Number of pairs; None makes one of each photograph, more use photographs again.
        size: Width and height of a pair in pixels; None takes what the photograph allows.
        max_radius_px: The largest disk radius, reached in every pair.
        zoom_range: Lowest and highest zoom, drawn uniformly.
        shift_range_px: Shift right and down, each drawn uniformly from minus to plus this.
        rotation_range_deg: Rotation, drawn uniformly from minus to plus this.
        noise: Standard deviation of the blur image's noise, in counts of 255.
        seed: With a pair's index, all that is random follows from it.

    Raises:
        UserError: A value out of range.
    """

    count: int | None = None
    size: tuple[int, int] | None = None
    max_radius_px: float = 8.0
    zoom_range: tuple[float, float] = (0.98, 1.02)
    shift_range_px: float = 15.0
    rotation_range_deg: float = 0.2
    noise: float = 1.0
    seed: int = 0

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
        }
        if self.size is not None:
            least = self._least_side()
            text = f"size {self.size[0]}x{self.size[1]}: expected sides of at least {least} px"
            checks[text + " (four times the largest radius)" * (least > MIN_SIDE)] = min(self.size) >= least
        for text, holds in checks.items():
            if not holds:
                raise UserError(text)

    def margin(self, width: int, height: int) -> tuple[int, int]:
        """Return the columns and rows needed on each side of a frame so that nothing outside is read.

        >>> Synthesis(max_radius_px=2, zoom_range=(1, 1), shift_range_px=5, rotation_range_deg=0).margin(64, 48)
        (9, 9)
        """
        angle = math.radians(self.rotation_range_deg)
        half_x, half_y = (width - 1) / 2, (height - 1) / 2
        zoom = self.zoom_range[1]
        sides = []
        for along, across in ((half_x, half_y), (half_y, half_x)):
            farthest = zoom * (along + across * math.sin(angle)) + self.shift_range_px - along
            sides.append(max(math.ceil(farthest) + LANCZOS_TAPS_PX, math.ceil(self.max_radius_px) + 1))
        return sides[0], sides[1]

    def frame(self, photo_width: int, photo_height: int) -> tuple[int, int, int, int]:
        """Return a pair's width and height and the margins (columns, rows) around it within a photograph.

        Raises:
            ValueError: The photograph is too small; the message says what was found and what is needed.
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

    def _least_side(self) -> int:
        return max(MIN_SIDE, math.ceil(4 * self.max_radius_px))


@dataclass(frozen=True)
class PairPlan:
    """One pair to make: the how-many-th of all, the photograph, how often that was used before, the folder."""

    index: int
    name: str
    photo: Path
    use: int
    out: Path
    synthesis: Synthesis


def files_of(out: Path, names: Sequence[str]) -> list[Path]:
    """Return the images of pairs: blur, sharp, aligned truth and blur radius of each."""
    return [out / role / f"{name}.png" for name in names for role in ROLES]


def make_pair(plan: PairPlan) -> dict[str, float | str]:
    """Return the row of truth.csv of one pair, after its four images have been written."""
    synthesis = plan.synthesis
    rng = np.random.default_rng([synthesis.seed, plan.index])
    turn, shift = synthesis.rotation_range_deg, synthesis.shift_range_px
    similarity = Similarity(
        zoom=rng.uniform(*synthesis.zoom_range),
        rotation_deg=rng.uniform(-turn, turn),
        shift_x_px=rng.uniform(-shift, shift),
        shift_y_px=rng.uniform(-shift, shift),
    )
    photo = read_image(plan.photo)
    width, height, margin_x, margin_y = synthesis.frame(photo.shape[1], photo.shape[0])
    stage = _stage(photo, width + 2 * margin_x, height + 2 * margin_y, plan, rng)
    layers = draw_layers(stage.shape[0], stage.shape[1], synthesis.max_radius_px, rng, margin=(margin_y, margin_x))
    inner = (slice(margin_y, margin_y + height), slice(margin_x, margin_x + width))
    blurred = encode_srgb(defocus(decode_srgb(stage), layers))[inner]
    noisy = blurred + rng.standard_normal(blurred.shape, np.float32) * np.float32(synthesis.noise / 255)
    radius = np.floor(blur_radius_map(layers)[inner] * RADIUS_SCALE + 0.5).astype(np.uint16)
    sharp = draw_sharp(stage, similarity, width, height)
    images = (to_pixels(noisy), to_pixels(sharp), to_pixels(stage[inner]), radius)
    for path, image in zip(files_of(plan.out, [plan.name]), images, strict=True):
        write_png(path, image)
    row = {**dataclasses.asdict(similarity), "name": plan.name, "max_radius_px": int(radius.max()) / RADIUS_SCALE}
    return {column: row[column] for column in TRUTH_COLUMNS}


def draw_sharp(stage: FloatArray, similarity: Similarity, width: int, height: int) -> FloatArray:
    """Return the sharp picture as the misaligned second shot shows it: (height, width, 3).

    Args:
        stage: (H, W, 3), a larger picture about the same centre, in the blurred one's geometry.
        similarity: Maps the result's coordinates to the blurred picture's.
        width: Columns of the frame.
        height: Rows of the frame.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    in_blur = similarity.apply(np.stack([x, y], axis=-1), width, height)
    margin_y, margin_x = (stage.shape[0] - height) / 2, (stage.shape[1] - width) / 2
    return np.asarray(sample(stage, in_blur[..., 0] + margin_x, in_blur[..., 1] + margin_y, "bandlimited"), np.float32)


def _stage(photo: FloatArray, width: int, height: int, plan: PairPlan, rng: np.random.Generator) -> FloatArray:
    """Return a (height, width) piece of the photograph, made smaller first where a size was asked for.

    The first pair of a photograph shows as much of it as possible; further ones show less, every other one mirrored.
    """
    photo_height, photo_width = photo.shape[:2]
    fit = max(width / photo_width, height / photo_height)
    scale = fit if plan.use == 0 else rng.uniform(fit, min(1.0, 1.6 * fit))
    if plan.synthesis.size is not None:
        target = (max(width, round(photo_width * scale)), max(height, round(photo_height * scale)))
        if target != (photo_width, photo_height):
            photo = np.asarray(cv2.resize(photo, target, interpolation=cv2.INTER_AREA), np.float32)
    left, top = (int(rng.integers(room + 1)) for room in (photo.shape[1] - width, photo.shape[0] - height))
    piece = photo[top : top + height, left : left + width]
    return np.ascontiguousarray(piece[:, ::-1] if plan.use % 2 else piece)
