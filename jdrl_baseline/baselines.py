"""Baselines as functions from a blur image to its restoration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.restorers import WithoutWeights
from sdd_bench.errors import UserError
from sdd_bench.io.text import shown

Baseline = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Function from a blur image, (H, W, 3) float32 in [0, 1], to its restoration of the same shape, dtype and range."""


def load_baseline(
    name_or_checkpoint: str | Path,
    *,
    device: str = "cpu",
    tile: int | None = None,
    map: str | None = None,
    psf: str | None = None,
    strength: float | str | None = None,
    alpha: float | None = None,
    linear_light: bool = False,
) -> Baseline:
    """Return a baseline as a function from a blur image to its restoration.

    The function takes and returns (H, W, 3) float32 in [0, 1], changes neither its argument nor global state, and
    raises ValueError for any other shape, dtype or range. Equal images give equal results on the same device with the
    same number of threads.

    Args:
        name_or_checkpoint: A name of `baseline_names`, or the path of a checkpoint: deblurring.pt, best.pt or last.pt
            of a training run.
        device: A torch device, for trained networks.
        tile: Side of the tiles in pixels, a multiple of 16; 0 restores whole frames. None takes whole frames for
            trained networks, else the default of `sdd-bench predict`. See `sdd-bench predict --tile`.
        map: Defocus map for wiener and richardson-lucy, `ebdb` or `zhuo-sim`.
        psf: Shape of the blur for baselines with a defocus map, `disk` or `gaussian`.
        strength: Strength of the deblurring for baselines with a defocus map, a number or `cuhk`, `dpdd`, `realdof`.
        alpha: Exponent of the prior for ebdb and zhuo-sim.
        linear_light: Whether baselines with a defocus map deconvolve linear light instead of sRGB values.

    Raises:
        ValueError: The name is unknown, the side of the tiles is not a multiple of 16, or the baseline has no such
            setting.
        UserError: The file is not a checkpoint of sdd-bench.

    >>> blur = np.full((4, 6, 3), 0.5, np.float32)
    >>> bool((load_baseline("identity")(blur) == blur).all())
    True
    """
    if tile is not None and (tile < 0 or tile % 16):
        raise ValueError(f"tile is {tile}, expected 0 or a multiple of 16")
    name, options = str(name_or_checkpoint), Options(map, psf, strength, alpha, linear_light)
    if name in WITHOUT_WEIGHTS:
        restore = _without_map(WITHOUT_WEIGHTS[name](name, options), tile)
    elif name in trained_names() or Path(name).suffix == ".pt" or Path(name).is_file():
        check_no_options("a trained network", options)
        path = trained_weights(name) if name in trained_names() else Path(name)
        restore = _of_checkpoint(path, device, tile or 0)
    else:
        known = ", ".join(baseline_names())
        raise ValueError(f"unknown baseline {name!r}, expected one of {known}, or the path of a checkpoint (.pt)")

    def baseline(blur: NDArray[np.float32]) -> NDArray[np.float32]:
        if blur.ndim != 3 or blur.shape[2] != 3 or 0 in blur.shape or blur.dtype != np.float32:
            raise ValueError(f"the blur image is {blur.shape} {blur.dtype}, expected (H, W, 3) float32")
        low, high = float(blur.min()), float(blur.max())
        if not 0 <= low <= high <= 1:
            raise ValueError(f"the blur image ranges from {low:g} to {high:g}, expected 0 to 1")
        return restore(blur)

    return baseline


@dataclass(frozen=True)
class Options:
    """Settings of a baseline that differ from its own; see `load_baseline`."""

    map: str | None = None
    psf: str | None = None
    strength: float | str | None = None
    alpha: float | None = None
    linear_light: bool = False


def check_no_options(what: str, options: Options) -> None:
    """Raise ValueError if any settings are given.

    Raises:
        ValueError: A setting is given that `what` does not have.
    """
    given = [name for name, value in asdict(options).items() if value not in (None, False)]
    if given:
        raise ValueError(f"{given[0]} is given, but {what} has no such setting")


def _identity(name: str, options: Options) -> WithoutWeights:
    check_no_options(name, options)
    return WithoutWeights(name, lambda blur, _: (blur.copy(), None), None, 0)


def _classical(name: str, options: Options) -> WithoutWeights:
    from jdrl_baseline.classical.restoring import restore_with_map
    from jdrl_baseline.classical.settings import TILE_PX, settings_of

    settings = settings_of(name, **asdict(options))
    settings.check_installed()
    return WithoutWeights(
        name, lambda blur, tile_px: restore_with_map(blur, settings, tile_px=tile_px), settings.record(), TILE_PX
    )


WITHOUT_WEIGHTS: dict[str, Callable[[str, Options], WithoutWeights]] = {
    "identity": _identity,
    "wiener": _classical,
    "richardson-lucy": _classical,
    "ebdb": _classical,
    "zhuo-sim": _classical,
}
"""Baselines that need no file: functions from name and settings to the restorer."""


def baseline_names() -> list[str]:
    """Return the names of all baselines: those without weights, and the trained networks included in sdd-bench."""
    return [*WITHOUT_WEIGHTS, *trained_names()]


WEIGHTS = Path(__file__).parent / "weights"
"""Folder of the weights included in sdd-bench, NAME.pt, each with a model card, NAME.md."""


def trained_names() -> list[str]:
    """Return the names of the trained networks included in sdd-bench."""
    return sorted(path.stem for path in WEIGHTS.glob("*.pt"))


def trained_weights(name: str) -> Path:
    """Return the checkpoint of a trained network included in sdd-bench.

    Raises:
        UserError: The name is unknown.
    """
    if name not in trained_names():
        raise UserError(f"unknown baseline {shown(name)}, expected one of {', '.join(baseline_names())}")
    return WEIGHTS / f"{name}.pt"


def _without_map(restorer: WithoutWeights, tile_px: int | None) -> Baseline:
    return lambda blur: restorer.restore(blur, tile_px)[0]


def _of_checkpoint(path: Path, device: str, tile_px: int) -> Baseline:
    import torch

    from jdrl_baseline.predict import load_deblurring
    from jdrl_baseline.restore import restore

    network, cudnn = load_deblurring(path, device), torch.backends.cudnn

    def baseline(blur: NDArray[np.float32]) -> NDArray[np.float32]:
        with cudnn.flags(enabled=cudnn.enabled, deterministic=True, allow_tf32=cudnn.allow_tf32):
            return restore(network, blur, device, tile_px=tile_px)

    return baseline
