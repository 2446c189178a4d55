"""Large frames for benchmarks from scikit-image's photographs: no download, the same on every machine."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def parse_size(text: str) -> tuple[int, int]:
    """Return (width, height) of `WIDTHxHEIGHT`."""
    width, height = text.lower().split("x")
    return int(width), int(height)


def mosaic(width: int, height: int, seed: int) -> NDArray[np.uint8]:
    """Return a frame tiled from scikit-image's photographs, flipped at random, with noise of one count."""
    from skimage import data

    rng = np.random.default_rng(seed)
    tiles = [np.asarray(p)[:300, :400] for p in (data.coffee(), data.astronaut(), data.rocket(), data.chelsea())]
    rows = []
    for _ in range(-(-height // 300)):
        row = [
            tiles[rng.integers(len(tiles))][:: rng.choice([-1, 1]), :: rng.choice([-1, 1])]
            for _ in range(-(-width // 400))
        ]
        rows.append(np.hstack(row))
    frame = np.vstack(rows)[:height, :width].astype(np.float32)
    return np.asarray(np.clip(np.round(frame + rng.normal(0, 1, frame.shape)), 0, 255), dtype=np.uint8)


def misaligned_pair(width: int, height: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return (blur, sharp): the blur image softened, the sharp one zoomed by 1 % and shifted by (5, -3) px."""
    frame = mosaic(width, height, seed)
    centre = ((width - 1) / 2, (height - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, 0, 1.01)
    matrix[:, 2] += (5, -3)
    sharp = cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    blur = cv2.GaussianBlur(frame, (0, 0), 2.0)
    return np.asarray(blur, np.uint8), np.asarray(sharp, np.uint8)
