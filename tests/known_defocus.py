"""Edges and photographs with known blur."""

from __future__ import annotations

import importlib.util

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

FINER = 8
"""Factor of supersampling: edges are rendered at a higher resolution and averaged over pixels."""


def blurred_edges(sigma: float, *, side: int = 128, noise: float = 0.0) -> NDArray[np.float32]:
    """Return a slanted square of 0.25 and 0.7 blurred by a Gaussian, (side, side, 3), in the light of EBDB's gamma."""
    square = np.array([[0.3, 0.34], [0.68, 0.28], [0.72, 0.66], [0.34, 0.7]]) * side * FINER
    fine = np.zeros((side * FINER, side * FINER), np.float32)
    cv2.fillPoly(fine, [square.astype(np.int32)], 1.0)
    soft = cv2.resize(cv2.GaussianBlur(fine, (0, 0), sigma * FINER), (side, side), interpolation=cv2.INTER_AREA)
    soft += np.random.default_rng(0).normal(0, noise, soft.shape).astype(np.float32)
    light = 0.05 + 0.4 * soft  # light of the luma, which runs from 16 / 255 to 235 / 255
    return (
        np.repeat(((light ** (1 / 2.4) - 16 / 255) / (219 / 255))[..., None], 3, axis=2).clip(0, 1).astype(np.float32)
    )


def blurred_photo(name: str, sigma: float, noise: float = 1 / 255) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return a colour photograph of scikit-image, blurred by a Gaussian and with noise, and the original; (H, W, 3)."""
    sharp = getattr(data, name)().astype(np.float32) / 255
    half = int(5 * sigma) + 1
    blurred = cv2.GaussianBlur(sharp, (2 * half + 1, 2 * half + 1), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred + np.random.default_rng(0).normal(0, noise, sharp.shape).astype(np.float32), sharp


def psnr(image: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Return the peak signal-to-noise ratio in dB."""
    return float(-10 * np.log10(np.square(image.astype(np.float64) - truth).mean()))


def skip_without_pymatting() -> None:
    """Skip a test if pymatting is not installed; importing it here would set the threads of torch."""
    if importlib.util.find_spec("pymatting") is None:
        pytest.skip("pymatting is not installed")
