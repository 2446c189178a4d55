"""Datasets of tiny images, written to a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import write_png

RGB = np.zeros((16, 16, 3), np.uint8)


def plant(root: Path, *names: str, pixels: np.ndarray = RGB) -> Path:
    for name in names:
        write_png(root / name, pixels)
    return root


def named(pairs: tuple[Pair, ...], root: Path) -> list[tuple[str, str, str, str]]:
    return [(p.split, p.name, p.blur.relative_to(root).as_posix(), p.sharp.relative_to(root).as_posix()) for p in pairs]
