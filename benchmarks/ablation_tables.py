"""The testbed's tables: PSNR of every row, paired with the ceiling's, and what R takes the blur to be."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from ablation_data import TEST_PAIRS
from ablation_runs import ROWS
from numpy.typing import NDArray

from jdrl_baseline import checkpoint
from jdrl_baseline.maps import first_component
from jdrl_baseline.models import build_deblurring, build_reblurring, load_weights
from jdrl_baseline.reblur import blur_map, effective_radius
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.images import list_images, read_image, read_pixels
from sdd_bench.metrics.fidelity import psnr_db

BORDER_PX = 16
INNER = (slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
DISK = 1.5
"""Radius of a uniform disk over the mean distance of its light."""


def scores(predictions: Path, test: Path) -> list[float]:
    """Return the PSNR of each test pair against the aligned truth, in dB, 16 px of border left out."""
    truths = list_images(test / "truth" / "aligned")
    return [psnr_db(read_image(predictions / f"{truth.stem}.png")[INNER], read_image(truth)[INNER]) for truth in truths]


Runs = Mapping[tuple[str, int], Path]
"""Folders of runs by row and seed."""


def score_table(runs: Runs, pairs: Path) -> list[str]:
    """Return the table of what is there to score, a row a variant."""
    blur_db = statistics.fmean(scores(pairs / "test" / "blur", pairs / "test"))
    found = {
        run: statistics.fmean(scores(folder / "predictions", pairs / "test"))
        for run, folder in runs.items()
        if len(list((folder / "predictions").glob("*.png"))) == TEST_PAIRS
    }
    lines = [
        f"PSNR in dB of the mean test pair against the aligned truth; the blur image has {blur_db:.2f} dB.",
        "",
        "| row | what | paper, SDD | seeds | over the blur image, seed by seed | mean | below the ceiling, same seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in dict.fromkeys(row for row, _ in found):
        own = {seed: value for (name, seed), value in found.items() if name == row}
        gains = [value - blur_db for value in own.values()]
        below = [found["ceiling", seed] - value for seed, value in own.items() if ("ceiling", seed) in found]
        paper_db = ROWS[row].paper_db
        cells = [
            f"`{row}`", ROWS[row].words, "" if paper_db is None else f"{paper_db:.2f}", str(len(own)),
            ", ".join(f"{gain:+.2f}" for gain in gains), f"{statistics.fmean(gains):+.2f}",
            ", ".join(f"{gap:.2f}" for gap in below),
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def radius_table(runs: Runs, pairs: Path) -> list[str]:
    """Return what R says of the blur against the known radius, a row a run that has R with both branches."""
    lines = []
    for (row, seed), folder in runs.items():
        if not (folder / "deblurring.pt").is_file():
            continue
        found = list(_radii(folder / "last.pt", pairs / "test"))
        if found:
            means = [statistics.fmean(values) for values in zip(*found, strict=True)]
            cells = [f"`{row}`", str(seed), *(f"{value:.2f}" for value in means)]
            lines.append(f"| {' | '.join(cells)} |")
    heading = [
        "What R, given the prediction and the blur image, takes the blur to be: the radius of the uniform disk whose "
        "light lies as far from its centre as that of R's kernel, and the first principal component of the map of "
        "eq. (13), against the known radius; means over the test pairs.",
        "",
        "| row | seed | known radius, px | R's radius, px | mean error, px | correlation | correlation of eq. (13) |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*heading, *lines] if lines else []


@torch.inference_mode()
def _radii(path: Path, test: Path) -> Iterator[tuple[float, ...]]:
    """Yield known and found radius, mean error and the two correlations of each test pair."""
    state = checkpoint.load(path)
    config = checkpoint.config_of(state, path)
    deblurring, reblurring = build_deblurring(config), build_reblurring(config)
    if reblurring is None or not (config.kernel_branch and config.weight_branch):
        return
    load_weights(deblurring, state["deblurring"], str(path))
    load_weights(reblurring, state["reblurring"], str(path))
    deblurring.eval()
    for blur_path in list_images(test / "blur"):
        blur = torch.from_numpy(read_image(blur_path)).permute(2, 0, 1)[None]
        predicted = reblurring(deblurring(blur).image.clamp(0, 1), blur)
        radius = effective_radius(predicted.seeds, predicted.weights)[0, 0].numpy()[INNER] * DISK
        pseudo = blur_map(predicted.seeds, predicted.weights)[0].permute(1, 2, 0).numpy()
        known = read_pixels(test / "truth" / "blur_radius" / f"{blur_path.stem}.png", grey="expand")[..., 0][INNER]
        known = known.astype(np.float32) / RADIUS_SCALE
        yield (
            float(known.mean()), float(radius.mean()), float(np.abs(radius - known).mean()),
            correlation(radius, known), correlation(first_component(pseudo)[INNER], known),
        )  # fmt: skip


def correlation(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return Pearson's correlation over all pixels; 0 where one of them does not vary."""
    if first.std() < 1e-6 or second.std() < 1e-6:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
