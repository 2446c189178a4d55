"""Shared data: made with fixed seeds or taken from the photographs inside scikit-image."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from known import KnownPair, known_pair
from numpy.typing import NDArray

from sdd_bench.image_io import to_pixels, write_png

ASSETS_VARIABLE = "SDD_BENCH_TEST_ASSETS"


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder of photographs and weights, for tests that need real ones."""
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        pytest.skip(f"{ASSETS_VARIABLE} is not set: no photographs and weights to test with")
    return Path(folder)


@pytest.fixture(scope="session")
def photo() -> NDArray[np.float32]:
    """A real photograph, (400, 600, 3) float32 in [0, 1]."""
    from skimage import data

    return np.asarray(data.coffee(), dtype=np.float32) / 255


@pytest.fixture(scope="session")
def texture() -> NDArray[np.float32]:
    """Smooth random texture, (96, 128, 3) float32 in [0, 1]."""
    import cv2

    noise = np.random.default_rng(7).random((96, 128, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2.0)
    return np.asarray((smooth - smooth.min()) / (smooth.max() - smooth.min()), dtype=np.float32)


@pytest.fixture
def make_pairs(tmp_path: Path) -> Callable[..., Path]:
    """Write blur/ and gt/ with small random images and return their folder."""

    def make(
        names: list[str],
        root: str = "source",
        size: tuple[int, int] = (64, 48),
        folders: tuple[str, str] = ("blur", "gt"),
    ) -> Path:
        rng = np.random.default_rng(len(names))
        for name in names:
            sharp = rng.random((size[1], size[0], 3))
            for folder, image in zip(folders, (sharp * 0.5 + 0.25, sharp), strict=True):
                write_png(tmp_path / root / folder / f"{name}.png", to_pixels(image))
        return tmp_path / root

    return make


@pytest.fixture(scope="session")
def make_known(photo: NDArray[np.float32]) -> Callable[..., KnownPair]:
    """Return `known.known_pair` of the photograph."""
    return functools.partial(known_pair, photo)
