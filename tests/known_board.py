"""A leaderboard with made-up methods, scores and images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from leaderboard.entry import Entry, Table
from leaderboard.page.album import Pictures
from leaderboard.page.pictures import method_pictures
from leaderboard.page.write import write_page
from leaderboard.reported import reported_rows
from leaderboard.table import build_board
from sdd_bench.evaluation.results import Method
from sdd_bench.io.images import to_pixels, write_png

EVIL = "<script>alert(1)</script>"
FORMULA = '=HYPERLINK("x")'
TABLE = Table("sdd", "d" * 64, "test", "anchored/1", "p" * 64, "a" * 64)
IMAGES = tuple(f"image {i}" for i in range(6))
PARTS = (2, -2, 0.5, -0.5, 1, -0.9)
METHODS = {EVIL: 26.0, FORMULA: 25.0, "Twin": 26.0, "Part": 30.0, "Bent": 20.0}
"""Method to its mean PSNR; EVIL and Twin tie."""


def known_entry(
    name: str, psnr_db: float, protocol: str = "anchored/1", spread: float = 1.0, **changed: object
) -> Entry:
    """An entry with a spread of scores over images, alternately slightly better and worse than another method's."""
    sign = -1 if len(name) % 2 else 1
    scores = [psnr_db + spread * (i - 2) + sign * 0.01 * part for i, part in enumerate(PARTS)]
    rows = pd.DataFrame({"psnr_db": scores}, pd.Index(IMAGES, name="name"))
    rows = rows.assign(ssim=rows["psnr_db"] / 40, mae=0.1, lpips=1 / rows["psnr_db"], gdi50_px=0.1)
    means = rows.mean()
    rows["blur_psnr_db"] = 18.0 + np.arange(len(IMAGES))
    method = Method(name, paper="javascript:alert(1)", code="https://example.org/code", params_m=psnr_db)
    table = replace(TABLE, protocol=protocol)
    entry = Entry(table, method, f"{name}.json", "measured", rows, means, "e" * 64, "0.1.0", {})
    return replace(entry, **changed)  # type: ignore[arg-type]


def known_entries(protocol: str = "anchored/1", more_db: float = 0.0) -> list[Entry]:
    """One entry per method of `METHODS`."""
    status = {"Part": "partial", "Bent": "flagged"}
    return [
        known_entry(name, psnr_db + more_db, protocol, status=status.get(name, "measured"))
        for name, psnr_db in METHODS.items()
    ]


def known_files(folder: Path, size: tuple[int, int] = (96, 64)) -> dict[str, dict[str, Path]]:
    """Random frames: `truth` and `blur` by image name, `predictions` by method except Part."""
    rng = np.random.default_rng(3)
    found: dict[str, dict[str, Path]] = {"truth": {}, "blur": {}, "predictions": {}}
    for image in IMAGES:
        truth = rng.random((size[1], size[0], 3))
        for role in ("truth", "blur"):
            found[role][image] = folder / role / f"{image}.png"
            write_png(found[role][image], to_pixels(truth if role == "truth" else 0.5 * truth + 0.25))
        for i, method in enumerate(METHODS):
            if method != "Part":
                found["predictions"][method] = folder / f"method{i}"
                write_png(folder / f"method{i}" / f"{image}.png", to_pixels(truth * (0.9 - 0.1 * i)))
    return found


def known_pictures(folder: Path, budget_bytes: int = 8_000_000, **more: object) -> Pictures:
    """Pictures of `known_entries`."""
    files = known_files(folder)
    return method_pictures(
        known_entries(),
        files["predictions"],
        files["truth"],
        files["blur"],
        budget_bytes,
        **more,  # type: ignore[arg-type]
    )


def known_page(folder: Path, pictures: Pictures | None = None) -> Path:
    """The page of `known_entries`, with the papers' numbers and a board under paper/1."""
    entries = known_entries()
    others = {"paper/1": build_board(known_entries("paper/1", 2.0))}
    return write_page(folder / "page.html", build_board(entries), reported_rows(TABLE), others, entries, pictures)
