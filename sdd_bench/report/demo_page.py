"""Page of the demo: rankings, their explanation in words, and the images behind them, in one offline file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.files import write_text
from sdd_bench.io.images import encode_png, read_pixels
from sdd_bench.io.serialise import read_csv
from sdd_bench.metrics.table import METRICS
from sdd_bench.report.pictures import address
from sdd_bench.version import __version__

CROP_PX = 144
PICTURED = 3
COLUMNS = ("rank", "method", "psnr_db", "ssim", "lpips", "mae", "status")
JUDGED = ("gdi_px", "ceiling_db")
"""Additional columns in the table of the ranking protocol."""

RANKING = "anchored/2"
BRIGHTER = 4
"""Factor by which difference images are amplified."""

TITLES = {
    "direct/1": "direct/1: compared with the sharp photograph as it was taken",
    "paper/1": "paper/1: the sharp photograph warped onto each prediction, as the papers do",
    RANKING: f"{RANKING}, the sharp photograph warped once onto the blur image",
}
"""Heading of each protocol's part of the page; `explain` gives its sentence, in this order."""

HEADINGS = {"gdi_px": "displacement (px) ↓", "ceiling_db": "ceiling (dB)"}


def explain(tables: Mapping[str, Path], truth: str, moved: str, blur: str, baselines: Sequence[str]) -> list[str]:
    """Return the explanation of the rankings, in sentences with their numbers.

    Args:
        tables: Leaderboard CSV by protocol; `direct/1`, `paper/1` and `anchored/2`.
        truth: Method that is the aligned truth.
        moved: Method that is the aligned truth, displaced.
        blur: Method that is the blur image.
        baselines: Methods that restore it.
    """
    rows = {name: {row["method"]: row for row in read_csv(path, _columns(name))} for name, path in tables.items()}
    direct, paper, anchored = (
        {method: float(row["psnr_db"]) for method, row in rows[name].items()}
        for name in ("direct/1", "paper/1", RANKING)
    )
    spread = max(direct.values()) - min(direct.values())
    others = [method for method in anchored if method not in (truth, moved)]
    best = max(others, key=lambda method: anchored[method])
    status, displaced = (rows[RANKING][moved][column] for column in ("status", "gdi_px"))
    ceiling, best_db = float(rows[RANKING][truth]["ceiling_db"]), anchored[best]
    words = [
        "direct/1 compares with the sharp photograph as it was taken. Refocusing zoomed and shifted it, so even the "
        f"exact truth scores only {direct[truth]:.2f} dB, and all predictions lie within {spread:.2f} dB of each "
        "other. The score measures the misalignment, not the restoration.",
        "paper/1 warps the sharp photograph onto each prediction by optical flow, as the papers do. The truth "
        f"scores {paper[truth]:.2f} dB, but the same picture {moved.rsplit(', ', 1)[-1]} scores {paper[moved]:.2f} dB: "
        "a truth that follows each prediction forgives its geometric errors. Bilinear interpolation and errors of the "
        "flow limit what even a perfect restoration can score.",
        "anchored/2 warps the sharp photograph once into the blur image's frame, using the pair alone, so that every "
        f"method is compared with the same pixels. The truth scores {anchored[truth]:.2f} dB, close to the "
        f"{ceiling:.1f} dB that these pairs can resolve at most. The moved truth scores {anchored[moved]:.2f} dB, "
        f"{'below' if anchored[moved] < best_db else 'above'} the {best_db:.2f} dB of '{best}', and is {status} "
        f"because it lies {float(displaced):.1f} px beside its own input.",
        "That is why the rankings differ, and why anchored/2 is the protocol that ranks.",
    ]
    if baselines:
        gains = [f"'{method}' {anchored[method] - anchored[blur]:+.2f} dB" for method in baselines]
        words.append(
            f"Against the blur image, the baselines gain or lose: {', '.join(gains)}. A deconvolution sharpens what is "
            "blurred, but rings where the blur is estimated too large, above all where the image was sharp. A network "
            "learns from pairs how much to undo."
        )
    return words


def write_page(
    path: Path,
    tables: Mapping[str, Path],
    words: Sequence[str],
    pairs: Sequence[Pair],
    predictions: Mapping[str, Path],
    truth: str,
) -> Path:
    """Write the page and return its path.

    Args:
        path: HTML file to write.
        tables: Leaderboard CSV by protocol.
        words: Sentences from `explain`.
        pairs: Pairs of the scored split; the first pair of each of `PICTURED` scenes is shown.
        predictions: Folder of PNG predictions by method.
        truth: Method that is the aligned truth, with which the others are compared.
    """
    environment = Environment(
        loader=PackageLoader("sdd_bench.report"), autoescape=select_autoescape(["html"]), trim_blocks=True
    )
    environment.filters["shown"] = _shown
    environment.filters["heading"] = _heading
    rows = {protocol: _ranked(read_csv(file, (*_columns(protocol), "tie"))) for protocol, file in tables.items()}
    scenes = {pair.scene: pair for pair in reversed(pairs)}
    page = environment.get_template("demo.html").render(
        version=__version__,
        columns={name: [c for c in _columns(name) if any(row[c] for row in table)] for name, table in rows.items()},
        tables=rows,
        titles=TITLES,
        ranks=RANKING,
        words=dict(zip(TITLES, words, strict=False)),
        conclusions=words[len(TITLES) :],
        brighter=BRIGHTER,
        strips=[_strip(scenes[scene], predictions, truth) for scene in sorted(scenes)[:PICTURED]],
    )
    write_text(path, page)
    return path


def _ranked(rows: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """Return the rows with shared ranks marked, and with `place` 1 or 2 for the two best ranks."""
    known = sorted({int(row["rank"]) for row in rows if row["rank"]})
    places = {str(rank): str(place) for place, rank in enumerate(known[:2], 1)}
    return [
        {**row, "rank": row["rank"] + ("=" if row["tie"] else ""), "place": places.get(row["rank"], "")} for row in rows
    ]


def _heading(column: str) -> str:
    """Return the displayed heading of a column: words, unit, and an arrow for the better direction."""
    if column not in METRICS:
        return HEADINGS.get(column, column)
    return METRICS[column].heading + (" ↑" if METRICS[column].higher_is_better else " ↓")


def _columns(protocol: str) -> tuple[str, ...]:
    return (*COLUMNS[:-1], *(JUDGED if protocol == RANKING else ()), COLUMNS[-1])


def _shown(cell: str, column: str) -> str:
    """Return a cell with as many decimals as are useful to compare; the CSV has them all."""
    digits = {"psnr_db": 2, "ssim": 4, "lpips": 4, "mae": 4, "gdi_px": 2, "ceiling_db": 1}.get(column)
    return cell if digits is None or not cell else f"{float(cell):.{digits}f}"


def _strip(pair: Pair, predictions: Mapping[str, Path], truth: str) -> tuple[str, list[tuple[str, str, str]]]:
    """Return a pair's name, and a caption with two images for the sharp photograph and every prediction.

    The images are the same crop and its difference from the truth, as data addresses.
    """
    files = {"Sharp photograph (misaligned)": pair.sharp}
    files |= {method: folder / f"{pair.name}.png" for method, folder in predictions.items()}
    crops = {caption: _crop(file) for caption, file in files.items()}
    return pair.name, [(caption, _png(crop), _png(difference(crop, crops[truth]))) for caption, crop in crops.items()]


def difference(pixels: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the absolute difference of two images, (H, W, 3) uint8, times `BRIGHTER`, at most 255.

    >>> difference(np.full((1, 1, 3), 30, np.uint8), np.full((1, 1, 3), 40, np.uint8))[0, 0].tolist()
    [40, 40, 40]
    """
    found = BRIGHTER * np.abs(pixels.astype(np.int32) - truth)
    return np.minimum(found, 255).astype(np.uint8)


def _crop(path: Path) -> NDArray[np.uint8]:
    """Return the central crop of an image."""
    pixels = read_pixels(path)
    side = min(CROP_PX, *pixels.shape[:2])
    top, left = (pixels.shape[0] - side) // 2, (pixels.shape[1] - side) // 2
    return np.asarray(pixels[top : top + side, left : left + side], np.uint8)


def _png(pixels: NDArray[np.uint8]) -> str:
    return address(encode_png(pixels, level=9), "png")
