"""Random values of one pair: the camera's ingredients with random directions and signs."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np

from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.camera import Camera


@dataclass(frozen=True)
class Drawn:
    """Values of one pair's camera; the columns of camera.csv.

    Attributes not listed here are those of `Similarity` and `Camera`.

    Attributes:
        parallax_x_px: Displacement of the nearest relative to the farthest visible surface, to the right.
        parallax_y_px: The same, downwards.
        axial_parallax_px: The same, outwards at r = R; negative is inwards.
        distortion_px: Displacement outwards at r = R; negative is inwards.
        cats_eye: Displacement of the second disk's centre, outwards at r = R, in units of the signed defocus; negative
            is inwards.
        gain_red: Factor on linear red light; likewise `gain_green` and `gain_blue`.
        tone: Exponent of sRGB values.
        moved_x_px: Motion of the moved piece to the right, from blur to sharp, before the similarity.
        moved_y_px: The same, downwards.
        moved_share: Share of the frame that moved.
        far_px: Signed defocus of the farthest visible surface.
        near_px: Signed defocus of the nearest visible surface.
    """

    zoom: float = 1.0
    rotation_deg: float = 0.0
    shift_x_px: float = 0.0
    shift_y_px: float = 0.0
    parallax_x_px: float = 0.0
    parallax_y_px: float = 0.0
    axial_parallax_px: float = 0.0
    distortion_px: float = 0.0
    cats_eye: float = 0.0
    ring: float = 0.0
    spread: str = "disk"
    radius_red: float = 1.0
    radius_blue: float = 1.0
    lateral_colour_px: float = 0.0
    gain_red: float = 1.0
    gain_green: float = 1.0
    gain_blue: float = 1.0
    tone: float = 1.0
    vignetting: float = 0.0
    moved_share: float = 0.0
    moved_x_px: float = 0.0
    moved_y_px: float = 0.0
    noise: float = 0.0
    sharp_noise: float = 0.0
    jpeg_quality: int = 0
    scene: str = "random"
    far_px: float = 0.0
    near_px: float = 0.0

    @property
    def similarity(self) -> Similarity:
        """Similarity from sharp to blur."""
        return Similarity.of_row(asdict(self))

    @property
    def splits_layers(self) -> bool:
        """Whether surfaces at different depths have different displacements."""
        return bool(self.parallax_x_px or self.parallax_y_px or self.axial_parallax_px)


CAMERA_COLUMNS = ("name", *(field.name for field in fields(Drawn)))


def draw_values(camera: Camera, similarity: Similarity, rng: np.random.Generator) -> Drawn:
    """Return a pair's random values; the random numbers used for directions and signs do not depend on the camera.

    Two cameras that differ in one strength therefore give pairs that differ in nothing else.
    """
    parallax, motion = rng.uniform(0, 2 * math.pi, 2)
    axial, distortion, cats_eye, gain, gain_red, gain_blue, tone = np.where(rng.random(7) < 0.5, -1.0, 1.0).tolist()
    moves = camera.moved_share > 0 and camera.moved_px > 0
    green = camera.gain**gain
    return Drawn(
        **asdict(similarity),
        parallax_x_px=camera.parallax_px * math.cos(parallax),
        parallax_y_px=camera.parallax_px * math.sin(parallax),
        axial_parallax_px=camera.axial_parallax_px * axial,
        distortion_px=camera.distortion_px * distortion,
        cats_eye=camera.cats_eye * cats_eye,
        ring=camera.ring,
        spread=camera.spread,
        radius_red=camera.radius_red,
        radius_blue=camera.radius_blue,
        lateral_colour_px=camera.lateral_colour_px,
        gain_red=green * camera.gain_red**gain_red,
        gain_green=green,
        gain_blue=green * camera.gain_blue**gain_blue,
        tone=camera.tone**tone,
        vignetting=camera.vignetting,
        moved_share=camera.moved_share if moves else 0.0,
        moved_x_px=camera.moved_px * math.cos(motion) if moves else 0.0,
        moved_y_px=camera.moved_px * math.sin(motion) if moves else 0.0,
        noise=camera.noise,
        sharp_noise=camera.sharp_noise,
        jpeg_quality=int(camera.jpeg_quality),
        scene=camera.scene,
    )
