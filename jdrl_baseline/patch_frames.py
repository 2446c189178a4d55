"""Source frame of each patch of a release that does not name it: inferred from file names, else from the contents."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import Pixels

NUMBER = re.compile(r"(\d+)")
THUMB_PX = 64
WINDOW = 16
"""Number of preceding patches, in the order of the names, that a patch is compared with: a row of patches and some
more."""

LEAST_OVERLAP = 0.25
"""Least overlap of two patches, as a share of a patch, at which they are compared."""

SIMILAR = 0.72
"""Correlation from which two patches are taken to overlap. Measured on 13 photographs cut into patches of 512 px:
patches that share 70 % reach 0.73 to 0.99 (without the lowest and highest hundredth), those that share 60 % 0.65 to
0.99; of 1,388 pairs of different photographs the highest is 0.72 and the median 0.29. An overlap of 20 % is not
detected."""

Frames = list[list[int]]
"""Indices of patches, by frame."""


def frames_by_name(names: Sequence[str], least: int) -> Frames | None:
    """Return the patches of each frame if the file names tell, else None.

    A frame is named by the leading parts of a file name, which is split at `_` and `-`; the number of parts is the
    least that gives at least `least` frames of two patches or more. `0012_3_4` belongs to frame `0012`, `IMG_0012_07`
    to `IMG_0012`. Consecutive numbers tell nothing.

    >>> frames_by_name(["a_1_1", "a_1_2", "a_2_1", "a_2_2"], 2)
    [[0, 1], [2, 3]]
    >>> frames_by_name(["1", "2", "3", "4"], 2) is None
    True
    """
    parts = [re.split(r"[_-]", name) for name in names]
    for count in range(1, max(map(len, parts), default=0)):
        if min(map(len, parts)) <= count:
            return None
        groups: dict[tuple[str, ...], list[int]] = {}
        for index in _in_order(names):
            groups.setdefault(tuple(parts[index][:count]), []).append(index)
        if len(groups) >= least and all(len(group) > 1 for group in groups.values()):
            return list(groups.values())
    return None


def frames_by_content(names: Sequence[str], read: Callable[[int], Pixels]) -> Frames:
    """Return runs of patches, in the order of their names, that overlap in content.

    Releases cut a frame into overlapping patches and number them frame by frame. A run ends where no patch overlaps any
    of the `WINDOW` patches before it; all patches between two ends are taken as one frame. A frame may be split into
    several runs.

    Args:
        names: Names of the patches; numbers in them are sorted numerically.
        read: Index to samples, (H, W, 3) uint8 or uint16.
    """
    order = _in_order(names)
    thumbs: list[NDArray[np.float32]] = []
    joined = np.zeros(len(order), np.int64)  # one more between the first and the last patch of each link
    for place, index in enumerate(order):
        thumbs.append(_thumb(read(index)))
        for earlier in range(place - 1, max(0, place - WINDOW) - 1, -1):
            if similarity(thumbs[earlier], thumbs[place]) > SIMILAR:
                joined[earlier:place] += 1
                break
        if place >= WINDOW:
            thumbs[place - WINDOW] = thumbs[place]  # its pixels are no longer needed
    ends = [0, *(place + 1 for place in range(len(order) - 1) if not joined[place]), len(order)]
    return [order[start:end] for start, end in pairwise(ends)]


def similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the highest normalised correlation of two thumbnails over all shifts with enough overlap.

    Args:
        first: (T, T), band-pass filtered.
        second: As `first`.
    """
    side = 2 * THUMB_PX
    one = np.fft.rfft2(np.ones((THUMB_PX, THUMB_PX), np.float32), (side, side))
    a, a2, b, b2 = (np.fft.rfft2(x, (side, side)) for x in (first, first**2, second, second**2))

    def correlated(x: NDArray[np.complexfloating], y: NDArray[np.complexfloating]) -> NDArray[np.floating]:
        return np.fft.irfft2(x * y.conj(), (side, side))

    area = correlated(one, one)
    energy = correlated(a2, one).clip(0) * correlated(one, b2).clip(0)
    enough = (area > LEAST_OVERLAP * THUMB_PX**2) & (energy > 1e-3 * energy.max())
    return float((correlated(a, b)[enough] / np.sqrt(energy[enough])).max(initial=0.0))


def _in_order(names: Sequence[str]) -> list[int]:
    """Return the indices of the names in order; numbers in the names are sorted numerically."""

    def key(index: int) -> list[tuple[int, str]]:
        return [(int(part), "") if part.isdecimal() else (-1, part) for part in NUMBER.split(names[index])]

    return sorted(range(len(names)), key=key)


def _thumb(pixels: Pixels) -> NDArray[np.float32]:
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(grey, (THUMB_PX, THUMB_PX), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), 0.8) - cv2.GaussianBlur(small, (0, 0), 3), np.float32)
