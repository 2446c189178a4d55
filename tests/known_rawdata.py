"""A small folder of pairs as `ingest` writes it, with difficult contents for readers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import write_png
from sdd_bench.io.serialise import csv_text

NAMES = [f"hall_{i:04d}" for i in range(5)]
PLACES = ["indoor", "indoor", "outdoor", "outdoor", "outdoor"]


def tree(root: Path) -> dict[str, str]:
    return {str(p.relative_to(root)): file_sha256(p) for p in root.rglob("*") if p.is_file()}


def write_folder(root: Path, columns: tuple[str, ...] = ("name", "scene", "place", "notes")) -> Path:
    """A folder as ingest writes it: 8 and 16 bits, two sizes, cells with commas, line breaks and other scripts."""
    rng = np.random.default_rng(5)
    rows = []
    for i, (name, place) in enumerate(zip(NAMES, PLACES, strict=True)):
        kind = np.uint16 if i == 3 else np.uint8
        for role in ("blur", "gt"):
            frame = rng.integers(0, np.iinfo(kind).max, (48 + i, 300, 3), dtype=kind)
            write_png(root / role / f"{name}.png", frame)
        cells = {"name": name, "scene": f"s{i}", "place": place, "notes": 'grüße, "日本"\nline 2'}
        cells |= {f"{r}_sha256": file_sha256(root / f / f"{name}.png") for r, f in (("blur", "blur"), ("sharp", "gt"))}
        rows.append([cells[column] for column in columns])
    (root / "pairs.csv").write_text(csv_text(columns, rows), encoding="utf-8")
    return root
