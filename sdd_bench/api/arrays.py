"""Conversion between a user's arrays and the images that sdd-bench works on, with checks instead of guesses.

An image may be a path, a numpy array or a torch tensor; uint8, uint16 or floating point in [0, 1]; (H, W, 3) or (3, H,
W); a single image or a batch with one more axis in front. Anything ambiguous or invalid raises ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import OVERSHOOT, read_image

if TYPE_CHECKING:
    import torch

Array: TypeAlias = "NDArray[Any] | torch.Tensor"
"""A numpy array or a torch tensor with one image or a batch."""

ImageLike: TypeAlias = "str | Path | Array"
"""An image file, or an array with one image or a batch."""

Image = NDArray[np.floating]

INTEGERS = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0}


@dataclass(frozen=True)
class Images:
    """One image or a batch in the form that sdd-bench works on, and the form in which it was given.

    Attributes:
        images: Each (H, W, 3) in [0, 1], float32, or float64 if given so.
        batch: Whether a batch was given.
        channels_first: Whether the channel axis came before rows and columns.
        tensor: The given tensor, or None if it was not a tensor.
    """

    images: tuple[Image, ...]
    batch: bool = False
    channels_first: bool = False
    tensor: torch.Tensor | None = None

    def like(self, images: list[NDArray[np.float32]]) -> Array:
        """Return images in the form of the given ones: axes, batch, numpy or torch and device; float32 in [0, 1]."""
        stacked = np.stack(images)
        if self.channels_first:
            stacked = np.moveaxis(stacked, -1, 1)
        if not self.batch:
            stacked = stacked[0]
        stacked = np.ascontiguousarray(stacked)
        if self.tensor is None:
            return stacked
        import torch

        return torch.from_numpy(stacked).to(self.tensor.device)


def to_images(value: ImageLike, role: str) -> Images:
    """Return one image or a batch from any accepted form.

    Args:
        value: A path, or an array: (H, W, 3), (3, H, W), (N, H, W, 3) or (N, 3, H, W); uint8, uint16, or floating point
            in [0, 1]. Floating-point values may exceed the range by `OVERSHOOT` and are clipped.
        role: Name in messages: `blur`, `sharp`, `restored`, `truth`.

    Raises:
        ValueError: The shape or type is wrong, or values are not finite or out of range.
        UserError: The file cannot be read.
    """
    if isinstance(value, str | Path):
        return Images((read_image(Path(value)),))
    tensor, array = _numpy(value, role)
    batch, channels_first = _layout(array, role, first=tensor is not None)
    array = array if batch else array[None]
    if channels_first:
        array = np.moveaxis(array, 1, -1)
    return Images(tuple(_in_range(image, role) for image in array), batch, channels_first, tensor)


def to_masks(value: ImageLike | None, images: Images) -> list[NDArray[np.bool_] | None]:
    """Return the mask of each image, None if every pixel counts.

    Args:
        value: None, a path, or an array (H, W), (1, H, W), (H, W, 1) or a batch of them; bool, or numbers with only 0
            and one other value (1, 255 or 65535). One mask may serve a whole batch.
        images: Images that the masks belong to.

    Raises:
        ValueError: The shape or the values are wrong.
    """
    count = len(images.images)
    if value is None:
        return [None] * count
    if isinstance(value, str | Path):
        from sdd_bench.io.images import read_pixels

        array: NDArray[Any] = read_pixels(Path(value), grey="expand")[..., 0]
    else:
        _, array = _numpy(value, "mask")
    height, width = images.images[0].shape[:2]
    given = array.shape
    if array.size == height * width and set(given) - {1} <= {height, width}:
        array = array.reshape(1, height, width)
    elif array.size == count * height * width and given[0] == count:
        array = array.reshape(count, height, width)
    else:
        raise ValueError(f"mask is of shape {given}, expected {(height, width)} like the image, or a batch of {count}")
    if array.dtype != np.bool_:
        values = np.unique(array)
        if len(values) > 2 or values.min() < 0 or (len(values) == 2 and values[0] != 0):
            shown = ", ".join(f"{v:g}" for v in values[:4])
            raise ValueError(f"mask holds the values {shown}{', ...' * (len(values) > 4)}, expected 0 and one other")
    chosen = np.broadcast_to(array != 0, (count, height, width))
    return list(chosen)


def same_count(one: Images, other: Images, roles: tuple[str, str]) -> None:
    """Raise ValueError if two batches differ in length, or a pair of images in shape."""
    if len(one.images) != len(other.images):
        raise ValueError(f"{roles[0]} are {len(one.images)} images, {roles[1]} {len(other.images)}")
    for number, (a, b) in enumerate(zip(one.images, other.images, strict=True)):
        if a.shape != b.shape:
            where = f" of image {number}" if one.batch else ""
            raise ValueError(
                f"shapes differ{where}: {roles[0]} is {a.shape[1]}x{a.shape[0]}, {roles[1]} {b.shape[1]}x{b.shape[0]}"
            )


def _numpy(value: Array, role: str) -> tuple[torch.Tensor | None, NDArray[Any]]:
    """Return the tensor, or None if the value is not one, and its numpy array."""
    detach = getattr(value, "detach", None)
    if detach is not None and hasattr(value, "device"):
        held = detach().cpu()
        if str(held.dtype) == "torch.bfloat16":
            held = held.float()
        return value, np.asarray(held.numpy())  # type: ignore[return-value]
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{role} is a {type(value).__name__}, expected a path, a numpy array or a torch tensor")
    return None, value


def _layout(array: NDArray[Any], role: str, *, first: bool) -> tuple[bool, bool]:
    """Return whether an array is a batch, and whether its channel axis comes before rows and columns."""
    shape = array.shape
    if array.ndim in (3, 4) and array.size:
        places = {"last": shape[-1] == 3, "first": shape[-3] == 3}
        if places["first"] and (first or not places["last"]):
            return array.ndim == 4, True
        if places["last"]:
            return array.ndim == 4, False
    raise ValueError(f"{role} is of shape {tuple(shape)}, expected (H, W, 3), (3, H, W) or a batch of them")


def _in_range(image: NDArray[Any], role: str) -> Image:
    """Return an image as floating point in [0, 1]."""
    if image.dtype in INTEGERS:
        from sdd_bench.io.images import to_float

        return to_float(np.ascontiguousarray(image))
    if not np.issubdtype(image.dtype, np.floating):
        raise ValueError(f"{role} has samples of type {image.dtype}, expected uint8, uint16 or floating point")
    if image.dtype != np.float64:
        image = image.astype(np.float32)
    low, high = float(image.min()), float(image.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ValueError(f"{role} has values that are not finite (NaN or infinity)")
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        raise ValueError(f"{role} has values from {low:.4g} to {high:.4g}, expected floating point in [0, 1]")
    return np.ascontiguousarray(np.clip(image, 0, 1))
