"""Spots that stay fixed while the scene moves: dead and hot pixels, and dust on the sensor.

Refocusing zooms and shifts the image by some pixels; defects of the sensor keep their position. A spot counts if both
shots have it at the same position and neither has it at the position to which the scene has moved.

Measured on pairs made from 13 sharp photographs (4 motions, disks of 1.5, 5 and 8 px, noise of 0.004, known
similarity), 7 used to set the constants and 6 held out. Without defects, no dead pixel was found in 156 pairs, no dust
in 154, and one spot in the other 2. Share of the simulated defects that was found on the 6 held-out photographs if the
scene moved far enough:

- dead and hot pixels of a contrast over 0.08: 97 % if the scene is smooth (deviation in 61x61 px under 0.02), 95 % at
  0.02 to 0.06, 73 % in texture; for JPEG of quality 92, which blurs colour, 70, 43 and 24 %;
- dust of 4 to 12 px standard deviation, 6 to 15 % dark: 85 % (22 of 26), 38 % and 9 %, because texture hides it.

Real focus stacks with parallax (25 pairs of 3 stacks) gave at most 1 pixel and 2 spots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.dead_pixels import dead_pixels
from capture.dust import dust
from sdd_bench.registration.similarity import Similarity


@dataclass(frozen=True)
class Still:
    """Numbers of spots that stay fixed.

    Attributes:
        dead_pixels: Dead, stuck or hot pixels; neighbours affected by demosaicing are counted once.
        dust_spots: Dark soft spots of about 10 to 60 px.
    """

    dead_pixels: int
    dust_spots: int


def still_spots(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> Still:
    """Return the numbers of spots that stay fixed; none is found if the scene does not move.

    Args:
        blur: (H, W, 3) sRGB values in [0, 1].
        gt: The same shape.
        similarity: Maps gt to blur.
    """
    return Still(*(_count(mask) for mask in (dead_pixels(blur, gt, similarity), dust(blur, gt, similarity))))


def _count(mask: NDArray[Any]) -> int:
    return int(cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)[0]) - 1
