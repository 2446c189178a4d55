"""What a trained network is worth on pairs with known truth, and what it does to photographs that are sharp.

    python benchmarks/small_scores.py --checkpoint small.pt --pairs DIR [DIR ...] [--photos FILE ...]
        [--out FILE.json] [--device cuda]

DIR is the output of `sdd-bench synthesise`. PSNR in dB against truth/aligned, with 8 bits and without a border of 16
px, of the blur image and of its restored image; also by blur radius, with errors pooled over all pairs. Each photograph
and each ground truth is also given to the network and the output compared with it.

Photographs are not in focus everywhere: what a network makes of their own backgrounds counts as an error although
nothing says that it is one. Scores are therefore also given where the photograph itself is in focus, see `in_focus`.
"""

from __future__ import annotations

import argparse
import csv
import math
import statistics
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from jdrl_baseline.baselines import Baseline, load_baseline
from jdrl_baseline.classical.maps import MAPS
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.files import write_text
from sdd_bench.io.images import read_image, read_pixels, to_float, to_pixels
from sdd_bench.io.serialise import json_text

BORDER_PX = 16
RADII_PX = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.5)
INNER = (slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
IN_FOCUS_PX = 1.0
"""Largest radius of what counts as in focus: lens and pixels alone blur every edge by about as much."""


def psnr_db(error: float) -> float:
    """Return the PSNR of a mean squared error of values in [0, 1]; at most 100."""
    return min(100.0, -10 * math.log10(max(error, 1e-10)))


def in_focus(photo: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where a photograph's own blur is a disk of under `IN_FOCUS_PX`, by EBDB, which knows of no network.

    Args:
        photo: (H, W, 3) sRGB values in [0, 1].
    """
    return np.asarray(MAPS["ebdb"](photo) < IN_FOCUS_PX)


def restored_8_bits(baseline: Baseline, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a restored image rounded as in its file."""
    return np.asarray(to_float(to_pixels(baseline(image))), np.float32)


def score_pairs(baseline: Baseline, folders: list[Path]) -> dict[str, object]:
    """Return the scores of every pair, of every photograph, and by radius."""
    rows: list[dict[str, object]] = []
    sums = np.zeros((6, len(RADII_PX) - 1))
    for folder in folders:
        with (folder / "places.csv").open(encoding="utf-8") as file:
            scenes = {row["name"]: row["scene"] for row in csv.DictReader(file)}
        for name, scene in scenes.items():
            blur, truth = (read_image(folder / role / f"{name}.png") for role in ("blur", "truth/aligned"))
            radius = read_pixels(folder / "truth" / "blur_radius" / f"{name}.png", grey="expand")[..., 0] / RADIUS_SCALE
            before, after = (
                np.square(image - truth).mean(axis=2)[INNER] for image in (blur, restored_8_bits(baseline, blur))
            )
            kept = np.square(restored_8_bits(baseline, truth) - truth)[INNER].mean()
            place = np.clip(np.digitize(radius[INNER], RADII_PX) - 1, 0, len(RADII_PX) - 2)
            focus, every = in_focus(truth)[INNER].astype(np.float32), np.ones_like(before)
            for index, values in enumerate((every, before, after, focus, before * focus, after * focus)):
                sums[index] += np.bincount(place.ravel(), values.ravel(), len(RADII_PX) - 1)
            found = {"blur_db": psnr_db(before.mean()), "restored_db": psnr_db(after.mean())}
            rows.append({"pair": name, "photograph": scene, **found, "truth_db": psnr_db(float(kept))})
    by_radius = [
        {"from_px": low, "to_px": high, **_pooled(*found, whole=sums[0].sum())}
        for low, high, found in zip(RADII_PX, RADII_PX[1:], sums.T, strict=False)
        if found[0]
    ]
    photographs = [_mean_of(rows, photograph) for photograph in dict.fromkeys(str(row["photograph"]) for row in rows)]
    gains = [float(str(row["gain_db"])) for row in photographs]
    return {
        "mean": _mean_of(rows, None), "photographs": photographs, "by_radius": by_radius, "pairs": rows,
        "interval_db": interval(gains) if len(gains) > 1 else None,
    }  # fmt: skip


def _pooled(
    pixels: float, before: float, after: float, focus: float, before_focus: float, after_focus: float, *, whole: float
) -> dict[str, float | None]:
    """Return the scores of the pixels of a range of radii, from sums of their squared errors."""
    return {
        "share": pixels / whole, "blur_db": psnr_db(before / pixels), "restored_db": psnr_db(after / pixels),
        "focus_share": focus / whole, "focus_blur_db": psnr_db(before_focus / focus) if focus else None,
        "focus_restored_db": psnr_db(after_focus / focus) if focus else None,
    }  # fmt: skip


def interval(gains: list[float], draws: int = 10000) -> tuple[float, float]:
    """Return the 95 % interval of the mean gain, by resampling photographs."""
    rng = np.random.default_rng(0)
    means = np.asarray(gains)[rng.integers(len(gains), size=(draws, len(gains)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def unharmed(baseline: Baseline, photo: NDArray[np.float32]) -> dict[str, object]:
    """Return the PSNR of what is made of a photograph against itself, everywhere and where it is in focus."""
    error, focus = np.square(restored_8_bits(baseline, photo) - photo).mean(axis=2), in_focus(photo)
    return {
        "size": f"{photo.shape[1]}x{photo.shape[0]}", "psnr_db": psnr_db(float(error.mean())),
        "focus_share": float(focus.mean()), "focus_db": psnr_db(float(error[focus].mean())) if focus.any() else None,
    }  # fmt: skip


def _mean_of(rows: list[dict[str, object]], photograph: str | None) -> dict[str, object]:
    kept = [row for row in rows if photograph is None or row["photograph"] == photograph]
    names = ("blur_db", "restored_db", "truth_db")
    means = {name: statistics.fmean(float(str(row[name])) for row in kept) for name in names}
    gains = [float(str(row["restored_db"])) - float(str(row["blur_db"])) for row in kept]
    about = {"photograph": photograph or "all", "pairs": len(kept), "improved": sum(gain > 0 for gain in gains)}
    return {**about, **means, "gain_db": statistics.fmean(gains), "worst_db": min(gains)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", required=True, help="a file, or the name of a baseline")
    parser.add_argument("--pairs", nargs="+", type=Path, required=True)
    parser.add_argument("--photos", nargs="*", type=Path, default=[])
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--tile", type=int, default=0)
    arguments = parser.parse_args()
    baseline = load_baseline(arguments.checkpoint, device=arguments.device, tile=arguments.tile)
    scores = score_pairs(baseline, arguments.pairs)
    sharp = [{"photograph": path.stem, **unharmed(baseline, read_image(path))} for path in arguments.photos]
    text = json_text({**scores, "sharp": sharp})
    if arguments.out:
        write_text(arguments.out, text)
    for row in (scores["mean"], *scores["photographs"], *scores["by_radius"], *sharp):  # type: ignore[misc]
        print({key: round(value, 3) if isinstance(value, float) else value for key, value in row.items()})


if __name__ == "__main__":
    main()
