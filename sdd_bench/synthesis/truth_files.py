"""Files of one pair with known truth."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.blur_radius import RADIUS_SCALE, radius_counts
from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.synthesis.defocus import FloatArray
from sdd_bench.synthesis.drawn import Drawn
from sdd_bench.synthesis.settings import Synthesis

TRUTH_COLUMNS = ("name", "zoom", "shift_x_px", "shift_y_px", "rotation_deg", "max_radius_px")
FILES = {
    "blur": ".png",
    "gt": ".png",
    "truth/aligned": ".png",
    "truth/blur_radius": ".png",
    "truth/visible": ".png",
    "truth/displacement": ".npz",
}
"""Folders of a pair's files, with the suffix of each."""


@dataclass(frozen=True)
class PairPlan:
    """One pair to make: its index, name, photograph, number of earlier uses of that photograph, folder and settings."""

    index: int
    name: str
    photo: Path
    use: int
    out: Path
    synthesis: Synthesis


def files_of(out: Path, names: Sequence[str]) -> list[Path]:
    """Return the files of pairs: blur, sharp, aligned truth, blur radius, visibility and displacement of each."""
    return [out / role / f"{name}{suffix}" for name in names for role, suffix in FILES.items()]


def write_truth(
    plan: PairPlan,
    images: tuple[FloatArray, FloatArray, FloatArray],
    radius_px: FloatArray,
    flow_blur_to_sharp: FloatArray,
    visible: NDArray[np.bool_],
) -> None:
    """Write the files of one pair.

    Args:
        plan: The pair.
        images: The blur image, the sharp image and the aligned truth, as sRGB values.
        radius_px: (H, W) blur radius.
        flow_blur_to_sharp: (H, W, 2) float32, from blur image to sharp image.
        visible: (H, W) bool, True where the sharp image shows the same point.
    """
    blur, sharp, truth = (to_pixels(image) for image in images)
    maps = radius_counts(radius_px), np.where(visible, 255, 0).astype(np.uint8)
    *pictures, displacement = files_of(plan.out, [plan.name])
    for path, image in zip(pictures, (blur, sharp, truth, *maps), strict=True):
        write_png(path, image)
    packed = io.BytesIO()
    np.savez_compressed(packed, flow_blur_to_sharp=flow_blur_to_sharp)
    write_bytes(displacement, packed.getvalue())


def row_of(plan: PairPlan, drawn: Drawn, radius_px: FloatArray) -> dict[str, float | str]:
    """Return the values of one pair for truth.csv and camera.csv."""
    return {
        **dataclasses.asdict(drawn),
        "name": plan.name,
        "max_radius_px": int(radius_counts(radius_px).max()) / RADIUS_SCALE,
    }
