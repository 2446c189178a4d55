"""Baselines as functions from a blur image to its restoration."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.io.text import shown

Baseline = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A blur image, (H, W, 3) float32 in [0, 1], to its restoration, of the same shape, dtype and range."""


def load_baseline(name_or_checkpoint: str | Path, *, device: str = "cpu", tile: int = 0) -> Baseline:
    """Return a baseline as a function from a blur image to its restoration.

    The function takes and returns (H, W, 3) float32 in [0, 1], changes neither its argument nor anything global, and
    raises ValueError for any other shape, dtype or range. Equal images give equal results on the same device with the
    same number of threads.

    Args:
        name_or_checkpoint: A key of `BASELINES`, a name of `trained_names`, or the path of a checkpoint:
            deblurring.pt, best.pt or last.pt of a training run.
        device: A torch device.
        tile: Side of the tiles in pixels, a multiple of 16; 0 restores whole frames. See `sdd-bench predict --tile`.

    Raises:
        ValueError: Unknown name, or a side of the tiles that is not a multiple of 16.
        UserError: The file is not a checkpoint of sdd-bench.

    >>> blur = np.full((4, 6, 3), 0.5, np.float32)
    >>> bool((load_baseline("identity")(blur) == blur).all())
    True
    """
    if tile < 0 or tile % 16:
        raise ValueError(f"tile is {tile}, expected 0 or a multiple of 16")
    path = Path(name_or_checkpoint)
    if str(name_or_checkpoint) in BASELINES:
        restore = BASELINES[str(name_or_checkpoint)]
    elif str(name_or_checkpoint) in trained_names():
        restore = _of_checkpoint(trained_weights(str(name_or_checkpoint)), device, tile)
    elif path.suffix == ".pt" or path.is_file():
        restore = _of_checkpoint(path, device, tile)
    else:
        known = ", ".join((*BASELINES, *trained_names()))
        raise ValueError(f"unknown baseline {str(path)!r}, expected one of {known}, or the path of a checkpoint (.pt)")

    def baseline(blur: NDArray[np.float32]) -> NDArray[np.float32]:
        if blur.ndim != 3 or blur.shape[2] != 3 or 0 in blur.shape or blur.dtype != np.float32:
            raise ValueError(f"the blur image is {blur.shape} {blur.dtype}, expected (H, W, 3) float32")
        low, high = float(blur.min()), float(blur.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"the blur image ranges from {low:g} to {high:g}, expected 0 to 1")
        return restore(blur)

    return baseline


BASELINES: dict[str, Baseline] = {"identity": lambda blur: blur.copy()}
"""Baselines that need no file."""


WEIGHTS = Path(__file__).parent / "weights"
"""Weights that come with sdd-bench, NAME.pt, each with a card, NAME.md."""


def trained_names() -> list[str]:
    """Return the names of the trained networks that come with sdd-bench."""
    return sorted(path.stem for path in WEIGHTS.glob("*.pt"))


def trained_weights(name: str) -> Path:
    """Return the checkpoint of a trained network that comes with sdd-bench.

    Raises:
        UserError: There is none of that name.
    """
    names = trained_names()
    if name not in names:
        known = f"expected one of {', '.join(names)}" if names else "no trained network comes with this version"
        raise UserError(f"unknown baseline {shown(name)}, {known}")
    return WEIGHTS / f"{name}.pt"


def _of_checkpoint(path: Path, device: str, tile_px: int) -> Baseline:
    import torch

    from jdrl_baseline.predict import load_deblurring
    from jdrl_baseline.restore import restore

    network, cudnn = load_deblurring(path, device), torch.backends.cudnn

    def baseline(blur: NDArray[np.float32]) -> NDArray[np.float32]:
        with cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=cudnn.allow_tf32):
            return restore(network, blur, device, tile_px=tile_px)

    return baseline
