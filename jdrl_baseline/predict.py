"""Predictions of a trained network or another baseline for image files, each written completely or not at all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from jdrl_baseline import checkpoint
from jdrl_baseline.config import Config
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.maps import IMAGE, RADIUS, first_component, with_maps
from jdrl_baseline.models import build_reblurring, build_restoring, check_weights, load_weights
from jdrl_baseline.networks.deblurring import DeblurringNetwork
from jdrl_baseline.networks.generator import Generator
from jdrl_baseline.prediction_folder import BLUR_MAP, PREDICTION, RADIUS_MAP, PredictionFolder, Predictions
from jdrl_baseline.restore import Forward, fitting_tile_px, image_of, through
from jdrl_baseline.restorers import Restorer, radius_png
from jdrl_baseline.spread import Spread, add_up, is_first_process, launch
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import encode_png, read_header, read_image, to_pixels
from sdd_bench.jobs.progress import shows_progress

DTYPES = {"32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def load_deblurring(path: Path, device: str = "cpu") -> DeblurringNetwork | Generator:
    """Return the deblurring network of a checkpoint, JDRL's F or DefocusGAN's generator, in evaluation mode.

    Raises:
        UserError: The file is not a checkpoint or holds weights of another network.
    """
    return _deblurring(checkpoint.load(path), path, device)


def _deblurring(state: checkpoint.State, path: Path, device: str) -> DeblurringNetwork | Generator:
    config, weights = checkpoint.settings_of(state, path), checkpoint.weights_of(state, "deblurring")
    if not isinstance(config, Config | DefocusGanConfig):
        raise UserError(f"{path}: a checkpoint of method {config.method} restores no images; it holds a map network")
    check_weights(lambda: build_restoring(config), weights, str(path))
    network = build_restoring(config)
    load_weights(network, weights, str(path))
    return network.to(device).eval()


def load_with_maps(path: Path, device: str = "cpu") -> Forward:
    """Return the networks of a checkpoint as the function of `maps.with_maps`.

    Raises:
        UserError: The checkpoint holds neither the reblurring network nor a deblurring network with a blur map.
    """
    state = checkpoint.load(path)
    config, weights = checkpoint.settings_of(state, path), state.get("reblurring")
    deblurring = _deblurring(state, path, device)
    if not isinstance(config, Config) or not isinstance(deblurring, DeblurringNetwork):
        raise UserError(f"{path}: method {config.method} draws no maps when it restores; leave out --maps")
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


class Network:
    """A checkpoint as a `Restorer`.

    Attributes:
        command: As in `Restorer`.
        verb: As in `Restorer`.
        map_roles: As in `Restorer`.
    """

    command, verb = "predict", "restore"

    def __init__(self, weights: Path, precision: str = "32") -> None:
        """Take a checkpoint and the precision of its networks, a key of `DTYPES`."""
        self.map_roles: Sequence[str] = (RADIUS_MAP, BLUR_MAP)
        self._weights, self._precision = weights, precision

    def settings(self) -> Mapping[str, object]:
        """See `Restorer`."""
        return {"checkpoint_sha256": file_sha256(self._weights), "precision": self._precision}

    def load(self, device: str, *, maps: bool) -> None:
        """See `Restorer`."""
        if self._precision == "fp16" and device == "cpu":
            raise UserError("--precision fp16 needs a GPU; take bf16 or 32")
        self._device, self._maps, self._dtype = device, maps, DTYPES[self._precision]
        self._forward = (
            load_with_maps(self._weights, device) if maps else image_of(load_deblurring(self._weights, device))
        )

    def choose_tile_px(self, files: Mapping[str, Path], processes: int) -> tuple[int, str]:
        """See `Restorer`; whole frames if the largest fits into memory."""
        headers = [read_header(path) for path in files.values()]
        size = max(((header.height, header.width) for header in headers), key=math.prod)
        tile_px = fitting_tile_px(self._forward, size, self._device, dtype=self._dtype, processes=processes)
        fits = "does not fit" if tile_px else "fits"
        return tile_px, f"because the largest, {size[1]}x{size[0]}, {fits} into the free memory (--tile changes it)"

    def contents(self, image: NDArray[np.float32], tile_px: int, bits: int) -> dict[str, bytes]:
        """See `Restorer`."""
        found = through(self._forward, image, self._device, tile_px=tile_px, dtype=self._dtype)
        contents = {PREDICTION: encode_png(to_pixels(found[..., IMAGE].clip(0, 1), bits))}
        if self._maps:
            radius = found[..., RADIUS]
            if not np.isnan(radius).any():
                contents[RADIUS_MAP] = radius_png(radius)
            contents[BLUR_MAP] = encode_png(to_pixels(first_component(found[..., RADIUS + 1 :])))
        return contents


def predict(
    method: Path | Restorer,
    files: Mapping[str, Path],
    out: Path,
    *,
    device: str = "cpu",
    bits: int = 8,
    precision: str = "32",
    tile_px: int | None = None,
    grey: str = "refuse",
    maps: Path | None = None,
    spread: Spread | None = None,
) -> int | None:
    """Restore files to out/NAME.png and return the number that had to be restored; existing predictions are kept.

    Whether frames are restored as a whole or in tiles is decided once for all of them, printed to standard error and
    recorded in the folder, as are the inputs of each prediction; see `prediction_folder`. Several processes share the
    work; each file is written by one of them. The first process returns the total number, the others None.

    Args:
        method: A checkpoint, or a restorer.
        files: Blur images by name.
        out: Folder of predictions of this method alone.
        device: Torch device of one process.
        bits: 8 or 16.
        precision: Precision of a network, a key of `DTYPES`; fp16 needs a GPU.
        tile_px: Side of tiles, a multiple of 16; 0 restores whole frames. None takes the side recorded in the folder,
            else the method's choice: for a network whole frames if the largest fits into memory, else
            `restore.TILE_PX`.
        grey: Handling of grey images, `refuse` or `expand`.
        maps: Folder for radius/NAME.png, the effective blur radius (16 bits, 256 times the radius in pixels; from a
            checkpoint only if it holds the reblurring network), and, from a checkpoint, blur_map/NAME.png, the 35
            channels combined into one (8 bits).
        spread: Several processes, or None for this process alone.

    Raises:
        UserError: The checkpoint or an image is damaged, the folder holds images to restore or files that were not
            written for this request, the method computes no maps, or a frame is too large for the GPU.
    """
    if not files:
        raise UserError("no images to restore; give --data or --images")
    if spread is not None:
        device = "cuda" if spread.accelerator != "cpu" and torch.cuda.is_available() else "cpu"
    restorer = Network(method, precision) if isinstance(method, Path) else method
    restorer.load(device, maps=maps is not None)
    folder, waiting = PredictionFolder(out, maps, restorer.map_roles), Predictions()
    with contextlib.ExitStack() as stack:
        if is_first_process(spread.processes if spread else 1):
            folder.check_apart(files)
            decided = "as given" if tile_px is not None else "as recorded in the folder"
            tile_px = folder.recorded_tile_px() if tile_px is None else tile_px
            if tile_px is None:
                tile_px, decided = restorer.choose_tile_px(files, spread.devices if spread else 1)
            settings = {**restorer.settings(), "bits": bits, "tile_px": tile_px}
            waiting = stack.enter_context(folder.claimed(settings, files))
            what = restorer.command
            how = f"in tiles of {tile_px} px" if tile_px else "as whole frames"
            click.echo(f"{what}: {len(waiting)} of {len(files)} images to {restorer.verb} {how}, {decided}", err=True)
        fabric = None if spread is None else launch(spread)
        rank, world = 0, 1
        if fabric is not None:
            rank, world, device = fabric.global_rank, fabric.world_size, str(fabric.device)
            tile_px, waiting = fabric.broadcast((tile_px, waiting))
            restorer.load(device, maps=maps is not None)

        def restore() -> int:
            mine = list(waiting.items())[rank::world]
            journal = folder.journal(rank)
            for name, known in tqdm(mine, desc=restorer.command, unit="", disable=rank > 0 or not shows_progress()):
                image = read_image(files[name], grey=grey)
                try:
                    contents = restorer.contents(image, tile_px or 0, bits)
                except torch.OutOfMemoryError:
                    size = f"{image.shape[1]}x{image.shape[0]}"
                    raise UserError(f"{name}: {size} does not fit on the GPU; give another --out and --tile") from None
                folder.add(journal, name, known, contents)
            return len(mine)

        return restore() if fabric is None else add_up(fabric, restore)
