"""A trained network and image files to predictions, each written whole or not at all."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from jdrl_baseline import checkpoint
from jdrl_baseline.models import build_deblurring, load_weights
from jdrl_baseline.networks.deblurring import DeblurringNetwork
from jdrl_baseline.restore import restore
from sdd_bench.errors import UserError
from sdd_bench.image_io import file_sha256, read_image, to_pixels, write_png, write_text

DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
RECORD = ".checkpoint.sha256"
"""Which network the predictions in a folder are of, so that two are never mixed."""


def load_deblurring(path: Path, device: str = "cpu") -> DeblurringNetwork:
    """Return the deblurring network of a checkpoint, in evaluation mode.

    Raises:
        UserError: Not a checkpoint, or weights of another network.
    """
    state = checkpoint.load(path)
    network = build_deblurring(checkpoint.config_of(state, path))
    load_weights(network, state["deblurring"], str(path))
    return network.to(device).eval()


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
) -> int:
    """Restore files to out/NAME.png and return how many had to be done; those that are there are kept.

    Args:
        weights: A checkpoint.
        files: Name to blur image.
        out: Folder of predictions of this checkpoint alone.
        device: A torch device.
        bits: 8 or 16.
        precision: A key of `DTYPES`; fp16 needs a GPU.
        tile_px: Side of tiles; 0 takes full frames where memory allows.
        grey: `refuse` or `expand`.

    Raises:
        UserError: A damaged checkpoint or image, or a folder with predictions of another checkpoint.
    """
    if precision == "fp16" and device == "cpu":
        raise UserError("--precision fp16 needs a GPU; take bf16 or 32")
    if not files:
        raise UserError("no images to restore")
    network = load_deblurring(weights, device)
    identity = f"{file_sha256(weights)} {bits} {precision} {tile_px}\n"
    record = out / RECORD
    if record.is_file() and record.read_text(encoding="utf-8") != identity:
        raise UserError(f"{out}: holds predictions of another checkpoint or other settings; give another folder")
    write_text(record, identity)
    waiting = {name: path for name, path in files.items() if not (out / f"{name}.png").is_file()}
    for name, path in tqdm(waiting.items(), desc="predict", unit="", disable=not sys.stderr.isatty()):
        restored = restore(network, read_image(path, grey=grey), device, tile_px=tile_px, dtype=DTYPES[precision])
        write_png(out / f"{name}.png", to_pixels(restored, bits))
    return len(waiting)
