"""Images in pages: reduction, JPEG, data addresses, and displacement in a reduced frame."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sdd_bench.io.images import to_pixels
from sdd_bench.registration.grey import resized_by_area
from sdd_bench.registration.similarity import Similarity

WIDTH_PX = 480
JPEG_QUALITY = 80


def reduce(image: NDArray[np.float32], width_px: int = WIDTH_PX) -> NDArray[np.float32]:
    """Return an image averaged down to at most `width_px` columns; smaller images are unchanged.

    >>> reduce(np.zeros((10, 40, 3), np.float32), 20).shape
    (5, 20, 3)
    """
    height, width = image.shape[:2]
    if width <= width_px:
        return image
    size = (width_px, max(1, round(height * width_px / width)))
    return resized_by_area(image, size)


def reduced_flow(similarity: Similarity, width: int, height: int, size: Sequence[int]) -> NDArray[np.float64]:
    """Return flow_blur_to_sharp for images reduced to `size`, (h, w, 2) in pixels of the reduced images.

    Args:
        similarity: Similarity from sharp to blur, in pixels of the full frame.
        width: Width of the full frame in pixels.
        height: Height of the full frame in pixels.
        size: Width and height of the reduced images, which may differ slightly from the frame's aspect ratio.

    >>> reduced_flow(Similarity(shift_x_px=-4), 8, 8, (4, 4))[0, 0].tolist()
    [2.0, 0.0]
    """
    ratio = np.array([width / size[0], height / size[1]])
    grid = np.stack(np.meshgrid(np.arange(size[0]), np.arange(size[1])), axis=-1).astype(np.float64)
    full = (grid + 0.5) * ratio - 0.5  # reduction preserves pixel areas, not centres
    return np.asarray((similarity.inverse().apply(full, width, height) - full) / ratio)


def jpeg(image: NDArray[np.floating]) -> bytes:
    """Return an image, (H, W, 3) in [0, 1], as the bytes of an 8-bit JPEG file."""
    buffer = io.BytesIO()
    Image.fromarray(to_pixels(image)).save(buffer, "JPEG", quality=JPEG_QUALITY, optimize=True)
    return buffer.getvalue()


def address(content: bytes, kind: str) -> str:
    """Return the bytes of a `jpeg` or `png` file as a data address, so that a page needs no other file.

    >>> address(b"abc", "png")
    'data:image/png;base64,YWJj'
    """
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()
