"""Grey images: conversion from colour, averaging, smoothing, high-pass filtering, gradient."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb

Grey = NDArray[np.float32]
"""(H, W) float32 grey values."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Weights of red, green and blue light in luminance, for the primaries of sRGB (IEC 61966-2-1)."""

HIGH_PASS_PX = 10.0
"""Standard deviation of the Gaussian whose local mean `high_pass` subtracts."""


def check_sizes(what: str, min_side_px: int, **images: NDArray[Any]) -> None:
    """Refuse images of different shapes, or images that are too small for an operation.

    Args:
        what: Name of the operation in the message.
        min_side_px: Smallest height and width.
        images: Role to image, (H, W) or (H, W, C).

    Raises:
        ValueError: The shapes differ, or a side is too small.
    """
    shapes = {role: image.shape for role, image in images.items()}
    sizes = {role: f"{width}x{height}" for role, (height, width, *_) in shapes.items()}
    if len(set(shapes.values())) > 1:
        found = sizes if len(set(sizes.values())) > 1 else shapes
        raise ValueError(", ".join(f"{role} is {one}" for role, one in found.items()) + ": expected one size")
    for role, shape in shapes.items():
        if min(shape[:2]) < min_side_px:
            raise ValueError(f"{what} needs sides of at least {min_side_px} px, not {sizes[role]}")


def grey(image: NDArray[np.floating], *, linear: bool = False) -> Grey:
    """Return an image as grey values in [0, 1]: the sum of its light if `linear`, else the sum of its values.

    A lens blurs the light of each colour, and therefore their sum. For a pair blurred in light, the error was 0.002 to
    0.017 px with the sum of the values and 0.002 to 0.004 px with the sum of the light.

    Args:
        image: (H, W, 3) float RGB, sRGB values in [0, 1].
        linear: Whether linear light is summed.
    """
    colours = image.astype(np.float32, copy=False)
    if linear:
        return encode_srgb(np.asarray(decode_srgb(np.clip(colours, 0, 1)) @ LUMINANCE, np.float32))
    return np.asarray(cv2.cvtColor(colours, cv2.COLOR_RGB2GRAY), np.float32)


def averaged(image: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return an image averaged over factor x factor pixels; a remainder on the right and below is left out.

    Args:
        image: (H, W) or (H, W, C), both sides at least `factor`.
        factor: At least 1, for which the image itself is returned.

    >>> averaged(np.float32([[1, 3, 9], [5, 7, 9]]), 2).tolist()
    [[4.0]]
    """
    if factor == 1:
        return image
    width, height = image.shape[1] // factor, image.shape[0] // factor
    return resized_by_area(image[: height * factor, : width * factor], (width, height))


def enlarged_frame(
    image: NDArray[Any], factor: int, width: int, height: int, how: int = cv2.INTER_NEAREST
) -> NDArray[Any]:
    """Return an image enlarged by a whole number and cropped, or padded by repeating its last pixels, to a size.

    Args:
        image: (h, w) image, such as the result of `averaged`.
        factor: At least 1.
        width: Width of the frame.
        height: Height of the frame.
        how: Interpolation flag of OpenCV.

    >>> enlarged_frame(np.float32([[1, 2]]), 2, 5, 2).tolist()
    [[1.0, 1.0, 2.0, 2.0, 2.0], [1.0, 1.0, 2.0, 2.0, 2.0]]
    """
    rows, columns = image.shape
    large = cv2.resize(image, (columns * factor, rows * factor), interpolation=how)
    below, right = max(0, height - rows * factor), max(0, width - columns * factor)
    return np.asarray(cv2.copyMakeBorder(large, 0, below, 0, right, cv2.BORDER_REPLICATE)[:height, :width])


def resized_by_area(image: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return an image reduced to (width, height), each pixel being the mean of the area that it covers."""
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))


def smooth(image: Grey, deviation_px: float) -> Grey:
    """Return an image convolved with a Gaussian; a wide one is applied to a reduced image, accurate to one percent."""
    factor = 1
    while deviation_px / factor >= 5:
        factor *= 2
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(image, (0, 0), deviation_px), np.float32)
    height, width = image.shape
    return np.asarray(cv2.resize(smooth_thumbnail(image, deviation_px, factor), (width, height)), np.float32)


def smooth_thumbnail(image: Grey, deviation_px: float, factor: int) -> Grey:
    """Return an image convolved with a Gaussian and reduced to about one pixel per factor x factor."""
    size = (max(1, round(image.shape[1] / factor)), max(1, round(image.shape[0] / factor)))
    # Averaging and bilinear enlarging add a variance of about a quarter of a squared small pixel.
    deviation = math.sqrt((deviation_px / factor) ** 2 - 0.25)
    return np.asarray(cv2.GaussianBlur(resized_by_area(image, size), (0, 0), deviation), np.float32)


def high_pass(image: Grey) -> Grey:
    """Return an image minus its local mean."""
    return image - smooth(image, HIGH_PASS_PX)


def gradient(image: Grey, kernel_px: int = 3, scale: float = 0.125) -> tuple[Grey, Grey]:
    """Return the derivatives to the right and downwards by Sobel kernels, each (H, W).

    Args:
        image: (H, W).
        kernel_px: Side of the kernel.
        scale: Factor of the result; the default gives derivatives per pixel with the kernel of 3 px.

    >>> right, down = gradient(np.float32([[0, 2, 4]] * 3))
    >>> float(right[1, 1]), float(down[1, 1])
    (2.0, 0.0)
    """
    right, down = (
        np.asarray(cv2.Sobel(image, cv2.CV_32F, *order, ksize=kernel_px, scale=scale), np.float32)
        for order in ((1, 0), (0, 1))
    )
    return right, down


def texture(image: Grey, deviation_px: float) -> Grey:
    """Return the squared gradient, smoothed with a Gaussian."""
    right, down = gradient(image)
    return np.asarray(cv2.GaussianBlur(right * right + down * down, (0, 0), deviation_px), np.float32)
