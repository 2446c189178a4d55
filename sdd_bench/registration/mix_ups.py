"""Detection of swapped images, and of images rotated or mirrored relative to each other."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import work_scale
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.focus import focus_shares
from sdd_bench.registration.grey import Grey, averaged, grey, resized_by_area
from sdd_bench.registration.similarity import Similarity

THUMBNAIL_PX = 160
"""Longer side of the thumbnails that are compared."""

BAND_PX = (2.0, 8.0)
"""Standard deviations that bound the compared detail, so that neither blur nor coarse shading decides."""

MOVED_SHARE = 0.12
"""Share of a thumbnail's sides by which its content may be displaced in the other."""

ALIKE, MORE_ALIKE = 0.65, 0.03
"""Least correlation of thumbnails of one scene, and the least advantage of a turned orientation over the original one.

All 18 photographs against themselves with a zoom of 1.03, a shift of 2 %, a rotation of 0.5 degrees and a blur disk of
0.4 or 1.6 % of the width correlate by at least 0.86 in the right orientation, which is at least 0.13 above every other
one; a rocket that is nearly its own mirror image, without these changes, is 0.06 above. In 306 comparisons of two
different photographs, the highest correlation in any orientation is 0.41.
"""

SURE = 0.5
"""Least confidence of an analysis that proves the two images to have the same orientation."""

SWAPPED_SHARE, SWAPPED_TIMES = 0.1, 3.0
"""The images are taken as swapped if blur is clearly sharper in at least `SWAPPED_SHARE` of the textured frame, and in
`SWAPPED_TIMES` as much of it as sharp is. In focus stacks, where each frame is sharp elsewhere, the ratio was up to
1.6."""


@dataclass(frozen=True)
class MixUp:
    """Mix-up found in a pair.

    Attributes:
        turn: Orientation of the sharp image relative to the blur image, such as `turned by 90 degrees clockwise`; empty
            if the images are swapped.
        blur_sharper: Share of the textured frame in which the blur image is the sharper one; 0 for a turn.
    """

    turn: str
    blur_sharper: float = 0.0

    def sentence(self) -> str:
        """Return a sentence that names the mix-up.

        >>> MixUp("turned by 180 degrees").sentence()
        'sharp is turned by 180 degrees against blur'
        """
        if self.turn:
            return f"sharp is {self.turn} against blur"
        return f"blur is sharper than sharp in {self.blur_sharper:.0%} of the textured frame: are the two swapped?"


def find_mix_up(blur: NDArray[Any], sharp: NDArray[Any], analysis: Analysis | None = None) -> MixUp | None:
    """Return the mix-up in a pair; None if there is none or it cannot be determined.

    Not a mix-up are two different images, two equally sharp ones, and two of which each is sharp elsewhere.

    Args:
        blur: (H, W, 3) float RGB in [0, 1].
        sharp: The same shape, or (W, H, 3).
        analysis: Analysis of the pair; turned images are searched for if it is None, failed or has a low confidence.
    """
    sure = analysis is not None and is_sure(analysis)
    of_blur, of_sharp = _reduced(blur), _reduced(sharp)
    thumbnails = _thumbnail(of_blur), _thumbnail(of_sharp)
    if not sure:
        turn = turn_of(*thumbnails)
        if turn:
            return MixUp(turn)
    if blur.shape != sharp.shape or not (sure or likeness(*thumbnails) >= ALIKE):
        return None
    similarity = analysis.similarity if analysis is not None and sure else Similarity()
    scale = work_scale(blur.shape[1], blur.shape[0])
    shift_px = similarity.shift_x_px / scale, similarity.shift_y_px / scale
    contrasts = [float(thumbnail.std()) for thumbnail in thumbnails]
    gain = contrasts[0] / contrasts[1] if min(contrasts) > 0 else 1.0  # thumbnails hardly show blur
    motion = Similarity(similarity.zoom, similarity.rotation_deg, *shift_px)
    sharp_sharper, blur_sharper = focus_shares(of_blur, of_sharp, motion, gain)
    swapped = blur_sharper >= SWAPPED_SHARE and blur_sharper > SWAPPED_TIMES * sharp_sharper
    return MixUp("", blur_sharper) if swapped else None


def is_sure(analysis: Analysis) -> bool:
    """Return whether an analysis proves that the two images have the same orientation."""
    return analysis.kind != "failed" and analysis.confidence >= SURE


def find_turn(blur: NDArray[Any], sharp: NDArray[Any]) -> str:
    """Return the rotation or mirroring of the sharp image relative to the blur image, in words; empty if there is none.

    Args:
        blur: (H, W, 3) float RGB in [0, 1].
        sharp: The same shape, or (W, H, 3) for a turn by 90 or 270 degrees. The result is empty for other shapes.

    >>> picture = np.float32(np.random.default_rng(0).random((8, 12, 1))).repeat(3, 2).repeat(20, 0).repeat(20, 1)
    >>> find_turn(picture, np.rot90(picture))
    'turned by 270 degrees clockwise'
    """
    return turn_of(*(_thumbnail(_reduced(image)) for image in (blur, sharp)))


def turn_of(of_blur: Grey, of_sharp: Grey) -> str:
    """Return the turn between two thumbnails from `middle_detail`, as `find_turn` does for images."""
    found = {}
    for mirrored, quarters in itertools.product((False, True), range(4)):
        laid = np.rot90(of_blur[:, ::-1] if mirrored else of_blur, -quarters)
        if laid.shape == of_sharp.shape:
            found[mirrored, quarters] = likeness(np.ascontiguousarray(laid), of_sharp)
    if not found:
        return ""
    upright = found.get((False, 0), 0.0)
    best = max(found, key=lambda way: found[way])
    if found[best] < ALIKE or found[best] < upright + MORE_ALIKE:
        return ""
    return _words(*best)


def _words(mirrored: bool, quarters: int) -> str:
    """Return the words for an image that is mirrored left to right, then turned clockwise by quarters of a turn."""
    turned = ("", "turned by 90 degrees clockwise", "turned by 180 degrees", "turned by 270 degrees clockwise")[
        quarters
    ]
    if not mirrored:
        return turned
    if quarters == 2:
        return "mirrored top to bottom"
    return "mirrored left to right" + (f" and {turned}" if turned else "")


def _reduced(image: NDArray[Any]) -> Grey:
    """Return an image in grey, at the size at which the analyser works."""
    height, width = image.shape[:2]
    return grey(averaged(np.asarray(image, np.float32), work_scale(width, height)))


def _thumbnail(image: Grey) -> Grey:
    """Return the band-passed thumbnail of an image."""
    height, width = image.shape
    scale = THUMBNAIL_PX / max(height, width)
    return middle_detail(resized_by_area(image, (max(1, round(width * scale)), max(1, round(height * scale)))))


def middle_detail(thumbnail: Grey) -> Grey:
    """Return the detail within `BAND_PX` of a grey thumbnail whose longer side is about `THUMBNAIL_PX`."""
    fine, coarse = (cv2.GaussianBlur(thumbnail, (0, 0), deviation) for deviation in BAND_PX)
    return np.asarray(fine - coarse, np.float32)


def likeness(one: Grey, other: Grey, moved_share: float = MOVED_SHARE) -> float:
    """Return the correlation of a thumbnail's middle with the other where it fits best; 0 without detail.

    Args:
        one: (h, w) from `middle_detail`.
        other: The same shape, or larger.
        moved_share: Share of the sides by which the middle may be displaced in the other.
    """
    height, width = one.shape
    y, x = round(moved_share * height), round(moved_share * width)
    middle = one[y : height - y, x : width - x]
    if min(middle.std(), other.std()) < 1e-4:
        return 0.0
    return float(cv2.matchTemplate(other, np.ascontiguousarray(middle), cv2.TM_CCOEFF_NORMED).max())
