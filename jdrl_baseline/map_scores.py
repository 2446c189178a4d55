"""Comparison of defocus maps with known maps: error, correlation and rank correlation of every image."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.files import read_bytes
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import list_images, read_pixels
from sdd_bench.io.names import stem_of

MATLAB_KEY = "blurMap"
"""Variable name of the radius in RTF's MATLAB files."""

MOST_BYTES = 2**30
RANKED_PIXELS = 1_000_000
"""Approximate number of pixels, evenly spaced, for the rank correlation."""

COLUMNS = ("maps", "name", "mae_px", "bias_px", "correlation", "rank_correlation")


@dataclass(frozen=True)
class MapScore:
    """Agreement of a map with the known map; NaN where undefined.

    Attributes:
        maps: Folder of the map.
        name: Name of the image; `mean` for the mean over images.
        mae_px: Mean absolute error of the radius in pixels.
        bias_px: Mean error; positive if the map has too much blur.
        correlation: Pearson correlation over the pixels.
        rank_correlation: Spearman correlation over the pixels.
    """

    maps: str
    name: str
    mae_px: float
    bias_px: float
    correlation: float
    rank_correlation: float

    def cells(self) -> list[object]:
        """Return the row of `COLUMNS`, empty for NaN."""
        numbers = (self.mae_px, self.bias_px, self.correlation, self.rank_correlation)
        return [self.maps, self.name, *("" if math.isnan(number) else round(number, 4) for number in numbers)]


def score_maps(folders: Sequence[Path], known: Path, unit_px: float | None = None) -> list[MapScore]:
    """Return a score for every map, and after those of a folder their mean.

    Args:
        folders: Folders of 16-bit PNG with the radius in 1/256 px, as written by `sdd-bench blur-map` and `predict
            --maps DIR`.
        known: Folder of known maps, named like the images or with the same last number: MATLAB files with `blurMap` in
            pixels (RTF), else 16-bit PNG in 1/256 px (`synthesise`: truth/blur_radius) or 8-bit images of a map (DED),
            whose unit is unknown.
        unit_px: Pixels per count of 8-bit known maps; without it, only correlations are computed.

    Raises:
        UserError: A folder has no maps, or a map has no known map or another size; all are named.
    """
    there = _by_stem(known, sorted(known.glob("*.mat")) or list_images(known))
    if not there:
        raise UserError(f"{known}: holds no known maps (PNG, or .mat of RTF)")
    faults: list[str] = []
    rows: list[MapScore] = []
    for folder in folders:
        maps = _by_stem(folder, list_images(folder))
        if not maps:
            raise UserError(f"{folder}: holds no maps; sdd-bench blur-map or predict --maps writes them")
        scored = []
        for name, partner in _pairs(list(maps), list(there)):
            if partner is None:
                faults.append(f"{maps[name]}: no known map of that name or number in {known}")
                continue
            found, truth = read_radius(maps[name]), read_radius(there[partner], unit_px)
            if found.shape != truth.shape:
                sizes = (f"{plane.shape[1]}x{plane.shape[0]}" for plane in (found, truth))
                faults.append(f"{maps[name]} is {' and the known map '.join(sizes)}, expected one size")
                continue
            is_in_px = there[partner].suffix == ".mat" or unit_px is not None or read_header(there[partner]).bits > 8
            scored.append(MapScore(str(folder), name, *_agreement(found, truth, is_in_px=is_in_px)))
        rows += [*scored, *_mean(str(folder), scored)]
    if faults:
        raise fault_report(faults, "score-maps")
    return rows


def read_radius(path: Path, unit_px: float | None = None) -> NDArray[np.float32]:
    """Return a map from its file, (H, W) float32 in pixels.

    Args:
        path: A 16-bit PNG in 1/256 px, an 8-bit image, or a MATLAB file.
        unit_px: Pixels per count of an 8-bit image; 1 if None.

    Raises:
        UserError: The file cannot be read, or is not a map.
    """
    if path.suffix == ".mat":
        return _read_matlab(path)
    pixels = read_pixels(path, grey="expand")
    if (pixels != pixels[..., :1]).any():
        raise UserError(f"{path}: is in colour, expected a grey map of the radius")
    scale = 1 / RADIUS_SCALE if pixels.dtype == np.uint16 else unit_px or 1.0
    return pixels[..., 0].astype(np.float32) * np.float32(scale)


def _read_matlab(path: Path) -> NDArray[np.float32]:
    import io

    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        radius = loadmat(io.BytesIO(read_bytes(path, MOST_BYTES)))[MATLAB_KEY]
    except KeyError:
        raise UserError(f"{path}: holds no {MATLAB_KEY}, expected a map of RTF") from None
    except (MatReadError, ValueError, TypeError, NotImplementedError) as error:
        raise UserError(f"{path}: cannot be read as a MATLAB file ({error})") from None
    if radius.ndim != 2 or radius.dtype.kind not in "fiu" or not np.isfinite(radius).all():
        raise UserError(f"{path}: {MATLAB_KEY} is {radius.shape} {radius.dtype}, expected (H, W) finite numbers")
    return np.asarray(radius, np.float32)


def _by_stem(folder: Path, files: Sequence[Path]) -> dict[str, Path]:
    named = {stem_of(path): path for path in files}
    alike = sorted(path.name for path in files if named[stem_of(path)] != path)
    if alike:
        raise UserError(f"{folder}: {', '.join(alike)}: another map of that name")
    return named


def _pairs(names: Sequence[str], known: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield each name with the known map of that name, else the only one with the same last number, else None."""
    by_number: dict[int | None, list[str]] = {}
    for stem in known:
        by_number.setdefault(_last_number(stem), []).append(stem)
    for name in names:
        number = _last_number(name)
        alike = by_number.get(number, []) if number is not None else []
        yield name, name if name in known else alike[0] if len(alike) == 1 else None


def _last_number(stem: str) -> int | None:
    found = re.findall(r"\d{1,18}", stem)
    return int(found[-1]) if found else None


def _agreement(
    found: NDArray[np.float32], truth: NDArray[np.float32], *, is_in_px: bool
) -> tuple[float, float, float, float]:
    """Return mean absolute error, mean error, correlation and rank correlation of two maps."""
    from scipy.stats import rankdata

    error = found.astype(np.float64) - truth
    step = max(1, math.isqrt(found.size // RANKED_PIXELS))
    few = [rankdata(plane[::step, ::step]).ravel() for plane in (found, truth)]
    errors = (float(np.abs(error).mean()), float(error.mean())) if is_in_px else (math.nan, math.nan)
    return (*errors, _correlation(found.ravel(), truth.ravel()), _correlation(*few))


def _correlation(one: NDArray[np.floating], other: NDArray[np.floating]) -> float:
    """Return Pearson's correlation; NaN if one map is constant."""
    a, b = (values.astype(np.float64) - values.mean(dtype=np.float64) for values in (one, other))
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 1e-9 * len(a) else math.nan


def _mean(folder: str, scored: Sequence[MapScore]) -> list[MapScore]:
    """Return the mean over images, each number over the images that have it; empty for a single image."""
    if len(scored) < 2:
        return []
    columns = zip(*((s.mae_px, s.bias_px, s.correlation, s.rank_correlation) for s in scored), strict=True)
    known = [[value for value in column if not math.isnan(value)] for column in columns]
    return [MapScore(folder, "mean", *(float(np.mean(values)) if values else math.nan for values in known))]
