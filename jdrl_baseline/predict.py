"""A trained network and image files to predictions, each written whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from jdrl_baseline import checkpoint
from jdrl_baseline.maps import IMAGE, RADIUS, first_component, with_maps
from jdrl_baseline.models import build_deblurring, build_reblurring, check_weights, load_weights
from jdrl_baseline.networks.deblurring import DeblurringNetwork
from jdrl_baseline.restore import image_of, through
from jdrl_baseline.spread import Spread, add_up, alone_in, launch
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256, write_text
from sdd_bench.io.images import read_image, to_pixels, write_png
from sdd_bench.synthesis.synthesise import RADIUS_SCALE

DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
RADIUS_MAP, BLUR_MAP = "radius", "blur_map"
RECORD = ".checkpoint.sha256"
"""Which network the predictions in a folder are of, so that two are never mixed."""


def load_deblurring(path: Path, device: str = "cpu") -> DeblurringNetwork:
    """Return the deblurring network of a checkpoint, in evaluation mode.

    Raises:
        UserError: Not a checkpoint, or weights of another network.
    """
    return _deblurring(checkpoint.load(path), path, device)


def _deblurring(state: checkpoint.State, path: Path, device: str) -> DeblurringNetwork:
    config = checkpoint.config_of(state, path)
    check_weights(config, state["deblurring"], str(path))
    network = build_deblurring(config)
    load_weights(network, state["deblurring"], str(path))
    return network.to(device).eval()


def load_with_maps(path: Path, device: str = "cpu") -> Callable[[Tensor], Tensor]:
    """Return what `maps.with_maps` makes of a checkpoint's networks.

    Raises:
        UserError: It holds neither the reblurring network nor a deblurring network with a blur map.
    """
    state = checkpoint.load(path)
    deblurring = _deblurring(state, path, device)
    config, weights = checkpoint.config_of(state, path), state.get("reblurring")
    reblurring = build_reblurring(config)
    if reblurring is None or weights is None:
        if deblurring.blur_map is None:
            raise UserError(
                f"{path}: holds no blur map and no reblurring network to draw maps from; try the run's best.pt"
            )
        return with_maps(deblurring, None)
    load_weights(reblurring, weights, str(path))
    if not (config.kernel_branch and config.weight_branch):
        raise UserError(f"{path}: maps need both branches of the reblurring network")
    return with_maps(deblurring, reblurring.to(device).eval(), truncate=config.truncate)


def predict(
    weights: Path,
    files: Mapping[str, Path],
    out: Path,
    *,
    device: str = "cpu",
    bits: int = 8,
    precision: str = "32",
    tile_px: int = 0,
    grey: str = "refuse",
    maps: Path | None = None,
    spread: Spread | None = None,
) -> int | None:
    """Restore files to out/NAME.png and return how many had to be done; those that are there are kept.

    Several processes share the names, each file is written whole by one of them, and the first returns the number of
    all, the others None.

    Args:
        weights: A checkpoint.
        files: Name to blur image.
        out: Folder of predictions of this checkpoint alone.
        device: A torch device; of one process.
        bits: 8 or 16.
        precision: A key of `DTYPES`; fp16 needs a GPU.
        tile_px: Side of tiles; 0 takes full frames where memory allows.
        grey: `refuse` or `expand`.
        maps: Folder for radius/NAME.png, the effective blur radius (16 bits, 256 times the radius in pixels; only where
            the checkpoint holds the reblurring network), and blur_map/NAME.png, the 35 channels as one (8 bits).
        spread: Several processes, or None for this one.

    Raises:
        UserError: A damaged checkpoint or image, a folder with predictions of another checkpoint, or a checkpoint that
            no maps can be drawn from.
    """
    if not files:
        raise UserError("no images to restore")

    def restore(names: Sequence[str], where: str, *, shown: bool) -> int:
        if precision == "fp16" and where == "cpu":
            raise UserError("--precision fp16 needs a GPU; take bf16 or 32")
        forward = load_with_maps(weights, where) if maps is not None else image_of(load_deblurring(weights, where))
        identity = f"{file_sha256(weights)} {bits} {precision} {tile_px}\n"
        for folder in [out] if maps is None else [out, maps / BLUR_MAP]:
            _claim(folder, identity)
        waiting = [name for name in names if not _is_done(name, out, maps)]
        for name in tqdm(waiting, desc="predict", unit="", disable=not (shown and sys.stderr.isatty())):
            image = read_image(files[name], grey=grey)
            found = through(forward, image, where, tile_px=tile_px, dtype=DTYPES[precision])
            write_png(out / f"{name}.png", to_pixels(found[..., IMAGE].clip(0, 1), bits))
            if maps is not None:
                _write_maps(maps, name, found)
        return len(waiting)

    names = list(files)
    with alone_in(out, *(() if maps is None else (maps / RADIUS_MAP, maps / BLUR_MAP))):
        if spread is None:
            return restore(names, device, shown=True)
        fabric = launch(spread)
        share = names[fabric.global_rank :: fabric.world_size]
        return add_up(fabric, lambda: restore(share, str(fabric.device), shown=fabric.is_global_zero))


def _is_done(name: str, out: Path, maps: Path | None) -> bool:
    return (out / f"{name}.png").is_file() and (maps is None or (maps / BLUR_MAP / f"{name}.png").is_file())


def _claim(folder: Path, identity: str) -> None:
    """Mark a folder as of one checkpoint and its settings; refuse that of another."""
    record = folder / RECORD
    if not record.is_file():
        write_text(record, identity)
    elif record.read_text(encoding="utf-8") != identity:
        raise UserError(f"{folder}: holds predictions of another checkpoint or other settings; give another folder")


def _write_maps(folder: Path, name: str, found: NDArray[np.float32]) -> None:
    """Write the maps of a prediction; the blur map last, it says that both are there."""
    radius = found[..., RADIUS]
    if not np.isnan(radius).any():
        write_png(folder / RADIUS_MAP / f"{name}.png", np.floor(radius * RADIUS_SCALE + 0.5).astype(np.uint16))
    write_png(folder / BLUR_MAP / f"{name}.png", to_pixels(first_component(found[..., RADIUS + 1 :])))
