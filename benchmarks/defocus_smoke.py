"""The smoke presets of the second baseline on pairs with known truth: are the maps right, is anything deblurred?

    python benchmarks/defocus_smoke.py maps|gan [--work DIR] [--set KEY=VALUE ...] [--name NAME]

`maps` trains the preset `lbk-smoke` on pairs whose radius varies from 0 to 8 px and compares its map with the known
radius on held-out photographs. `gan` trains `defocusgan-smoke` and the same generator with L1 alone on the pairs of
`ablation.py`, and scores both and the blur image under anchored/2. Photographs are those of `ablation_data.py`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from ablation_data import (
    CONDITIONS,
    SIDE_PX,
    TEST_PAIRS,
    TRAIN_PAIRS,
    cut_windows,
    make_data,
    make_pairs,
    photographs,
)
from ablation_tables import INNER, correlation
from command_line import call
from scipy.stats import spearmanr

from jdrl_baseline import checkpoint
from jdrl_baseline.config import load_settings
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.predict import predict
from jdrl_baseline.radius_maps import build_kernels, load_map_network
from jdrl_baseline.run import Hardware
from jdrl_baseline.training import LAST, train
from jdrl_baseline.truth_ahead import TRUTHS
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.evaluation.anchor_record import FoundAnchor
from sdd_bench.evaluation.anchors import ensure_anchors, read_truth
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.images import list_images, read_image, read_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.metrics.lpips import load_perceptual

PAIRS = ("--size", f"{SIDE_PX}x{SIDE_PX}", "--radius-range", 0, 8, "--shift-range", 4, "--jobs", 1)


def map_pairs(work: Path) -> Path:
    """Make pairs whose radius varies from 0 to 8 px where they are not there yet, and return their folder."""
    folder = work / "pairs" / "radius-8"
    for part, photos, count, seed in zip(
        ("train", "test"), photographs(), (TRAIN_PAIRS, TEST_PAIRS), (1, 2), strict=True
    ):
        if not (folder / part / "places.csv").is_file():
            windows = cut_windows(photos, count, seed, work / "windows" / f"radius-8-{part}")
            call("synthesise", *windows, "--out", folder / part, "--seed", seed, "--camera", "similarity", *PAIRS)
    return folder


def train_once(data: Path, preset: str, settings: list[str], run: Path) -> Path:
    """Train where it is not trained yet, with one thread, and return the exported network."""
    config = load_settings(preset, [*settings, "workers=0"])
    started, cpu = time.perf_counter(), time.process_time()
    begun = (run / LAST).is_file()
    found = train(data, config, run, Hardware(accelerator="cpu"), resume=begun)
    assert found is not None
    print(f"{run.name}: {time.process_time() - cpu:.0f} CPU s, {time.perf_counter() - started:.0f} s")
    return found


@dataclass(frozen=True)
class Maps:
    """How the maps of a run do on held-out pairs.

    Attributes:
        correlation: Mean over pairs of Pearson's correlation with the known radius.
        largest_sum_error: By which the sum of a kernel differs from 1.
    """

    correlation: float
    largest_sum_error: float


def score_maps(network: Path, test: Path) -> float:
    """Print how a map network does on pairs with known radius, and return the mean correlation."""
    radius_of, rows, pooled = load_map_network(network), [], []
    for path in list_images(test / "blur"):
        known = read_pixels(test / "truth" / "blur_radius" / f"{path.stem}.png", grey="expand")[..., 0]
        known_px = known.astype(np.float32)[INNER] / RADIUS_SCALE
        found = radius_of(read_image(path))[INNER]
        pooled.append(np.stack([found.ravel(), known_px.ravel()]))
        ranks = spearmanr(found[::7, ::7].ravel(), known_px[::7, ::7].ravel())[0]
        error = float(np.abs(found - known_px).mean())
        rows.append((correlation(found, known_px), ranks, error, float(found.mean()), float(known_px.mean())))
        print(path.stem, " ".join(f"{value:.2f}" for value in rows[-1]))
    names = ("correlation", "rank correlation", "mean error, px", "mean radius, px", "known, px")
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        print(f"{name}: mean {statistics.fmean(values):.3f}, least {min(values):.3f}, most {max(values):.3f}")
    both = np.concatenate(pooled, axis=1)
    print(f"correlation over the pixels of all pairs: {correlation(*both):.3f}")
    return statistics.fmean(row[0] for row in rows)


def maps(work: Path, name: str, settings: list[str]) -> Maps:
    """Train `lbk-smoke`, and print what its maps and kernels are worth."""
    pairs = map_pairs(work)
    data = make_data(pairs, "taken")
    run = work / "runs" / name
    found = score_maps(train_once(data, "lbk-smoke", settings, run), pairs / "test")
    state = checkpoint.load(run / LAST)
    config = checkpoint.settings_of(state, run)
    assert isinstance(config, LbkConfig)
    kernels = build_kernels(config)
    kernels.load_state_dict(checkpoint.weights_of(state, "kernels"))
    sums = kernels.sums().detach()
    print(f"sums of the kernels: {sums.min():.4f} to {sums.max():.4f}")
    return Maps(found, float((sums - 1).abs().max()))


@dataclass(frozen=True)
class Score:
    """What predictions are worth, means over the pairs.

    Attributes:
        pairs: Their number.
        psnr_db: Under anchored/2.
        known_db: Against the known truth.
        lpips: Against the truth of anchored/2; None without its backbone.
    """

    pairs: int
    psnr_db: float
    known_db: float
    lpips: float | None


def gan(work: Path, name: str, settings: list[str]) -> dict[str, Score]:
    """Train DefocusGAN and its generator alone; print and return what both and the blur image are worth, by row."""
    pairs = make_pairs(work, CONDITIONS["good"])
    data = make_data(pairs, "taken")
    blurs = {path.stem: path for path in list_images(pairs / "test" / "blur")}
    folders = {"blur image": pairs / "test" / "blur"}
    for row, more in ((name, []), (f"{name}-l1", ["adversarial_weight=0"])):
        run = work / "runs" / row
        if row != name and not (run / TRUTHS).is_dir():
            shutil.copytree(work / "runs" / name / TRUTHS, run / TRUTHS)
        network = train_once(data, "defocusgan-smoke", [*settings, *more], run)
        folders[row] = run / "predictions"
        predict(network, blurs, folders[row], tile_px=0)
    assets = os.environ.get("SDD_BENCH_TEST_ASSETS")
    trunk = Path(assets) / "weights" / "alexnet_features_torchvision.pth" if assets else None
    scores = {row: score(pairs / "test", folder, trunk) for row, folder in folders.items()}
    for row, found in scores.items():
        print(row, found)
    return scores


def score(test: Path, folder: Path, trunk: Path | None) -> Score:
    """Return what predictions are worth; LPIPS where its backbone is there."""
    found = open_dataset(test).pairs
    records = ensure_anchors(found, test / "anchors", 1)
    metric = None if trunk is None else load_perceptual("alex", trunk)
    rows = []
    for pair, record in zip(found, records, strict=True):
        if not isinstance(record, FoundAnchor):
            continue
        stored = read_truth(test / "anchors", pair, record)
        restored = read_image(folder / f"{pair.name}.png")
        known = read_image(test / "truth" / "aligned" / f"{pair.name}.png")
        row = [psnr_db(restored, stored.truth, stored.mask), psnr_db(restored[INNER], known[INNER])]
        rows.append(row if metric is None else [*row, metric.distance(restored, stored.truth, stored.mask)])
    psnr, known_db, *lpips = (statistics.fmean(values) for values in zip(*rows, strict=True))
    return Score(len(rows), psnr, known_db, lpips[0] if lpips else None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["maps", "gan", "data"])
    parser.add_argument("--work", type=Path, default=Path("defocus"))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--name", default=None)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if arguments.what == "data":
        make_data(map_pairs(arguments.work), "taken")
        make_data(make_pairs(arguments.work, CONDITIONS["good"]), "taken")
        return
    {"maps": maps, "gan": gan}[arguments.what](arguments.work, arguments.name or arguments.what, arguments.settings)


if __name__ == "__main__":
    main()
