"""Region shared by a padded or cropped prediction and its input, and its place in both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from numpy.typing import NDArray

Crop = Literal["top-left", "centre"]
CROPS: tuple[Crop, ...] = ("top-left", "centre")
"""Alignment of a cropped or padded prediction: padded at the right and bottom, or on all sides."""

MAX_CUT_PX = 128
"""Predictions differ from their inputs by less than this in width and height: at most by a network's size multiple."""

Array = TypeVar("Array", bound=NDArray[Any])


@dataclass(frozen=True)
class Cut:
    """Region that a frame and a prediction share.

    Attributes:
        x: Position of the left edge in the frame, in pixels.
        y: Position of the upper edge in the frame, in pixels.
        left: Position of the left edge in the prediction, in pixels.
        top: Position of the upper edge in the prediction, in pixels.
        width: Width of the region, in pixels.
        height: Height of the region, in pixels.
    """

    x: int
    y: int
    left: int
    top: int
    width: int
    height: int

    def of_frame(self, frame: Array) -> Array:
        """Return the region of a frame, (H, W) or (H, W, 3)."""
        return frame[self.y : self.y + self.height, self.x : self.x + self.width]  # type: ignore[return-value]

    def of_prediction(self, restored: Array) -> Array:
        """Return the region of a prediction, (H, W, 3)."""
        return restored[self.top : self.top + self.height, self.left : self.left + self.width]  # type: ignore[return-value]


def cut_of(prediction: tuple[int, int], frame: tuple[int, int], crop: str) -> Cut:
    """Return the region that a prediction shares with its frame.

    For `centre`, half of the difference is rounded to the even number, like torchvision's `center_crop`.

    Args:
        prediction: Width and height of the prediction.
        frame: Width and height of the frame.
        crop: One of `CROPS`.

    >>> cut_of((96, 80), (100, 70), "centre")
    Cut(x=2, y=0, left=0, top=5, width=96, height=70)
    >>> cut_of((96, 80), (100, 70), "top-left")
    Cut(x=0, y=0, left=0, top=0, width=96, height=70)
    """
    width, height = (min(a, b) for a, b in zip(prediction, frame, strict=True))
    if crop == "top-left":
        return Cut(0, 0, 0, 0, width, height)
    if crop != "centre":
        raise ValueError(f"crop must be one of {', '.join(CROPS)}, not {crop!r}")
    x, y = round((frame[0] - width) / 2), round((frame[1] - height) / 2)
    return Cut(x, y, round((prediction[0] - width) / 2), round((prediction[1] - height) / 2), width, height)
