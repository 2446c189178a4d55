"""A small camera session with known pairs, cut from the photographs inside scikit-image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import skimage.data
from click.testing import Result
from known import known_pair
from known_cli import call
from numpy.typing import NDArray

from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.similarity import Similarity

MOVED = Similarity(1.012, 0.0, 5.3, -2.7)
HARBOUR = ("boat", "crane", "pier")
"""Scenes of the session of the fixture `harbour`."""


def views(count: int) -> list[NDArray[np.float32]]:
    """Return images that do not look alike, (260, 340, 3) in [0, 1]."""
    astronaut, coffee, chelsea = skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()
    cut = [astronaut, coffee[:, 200:], chelsea, coffee[100:], astronaut[212:, ::-1], chelsea[::-1, ::-1]]
    return [np.asarray(view, np.float32) / 255 for view in (c[:260, :340] for c in cut[:count])]


def write_pair(folder: Path, stem: str, view: NDArray[np.float32], bits: int = 8, seed: int = 3) -> None:
    """Write STEM-far.png (blur) and STEM-near.png (gt)."""
    pair = known_pair(view, MOVED, radius_px=4, seed=seed)
    write_png(folder / f"{stem}-far.png", to_pixels(pair.blur.clip(0, 1), bits))
    write_png(folder / f"{stem}-near.png", to_pixels(pair.sharp.clip(0, 1), bits))


def describe(folder: Path, stems: Sequence[str], more: str = "", places: Sequence[str] = ()) -> None:
    """Write session.csv, one scene per pair, with scenes named like the files."""
    lines = ["file,scene,role,motor,place"]
    for number, stem in enumerate(stems):
        place = places[number] if places else ""
        lines += [f"{stem}-far.png,{stem},blur,{10 * number},{place}", f"{stem}-near.png,{stem},gt,,{place}"]
    (folder / "session.csv").write_text("\n".join(lines) + "\n" + more, encoding="utf-8")


def call_ingest(*arguments: object) -> Result:
    return call("ingest", *arguments)


def tree(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def copy(source: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
        os.utime(target / file.name, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    return target
