"""Results files with given scores, for images that need not exist."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sdd_bench.datasets.manifest import content_sha256
from sdd_bench.evaluation.protocol import build_protocol
from sdd_bench.evaluation.results import Method, Results, protocol_block


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def mae_of(psnr_db: float) -> float:
    """A mean absolute error that is possible for a PSNR."""
    return 0.0 if math.isinf(psnr_db) else 0.8 * 10 ** (-psnr_db / 20)


def known_rows(psnrs: list[float], images: str, **cells: object) -> tuple[dict, ...]:
    """One row per PSNR with matching other columns; `images` distinguishes datasets of one name."""
    return tuple(
        {
            "name": f"{i:02d}", "psnr_db": p, "ssim": min(p / 50, 1.0), "mae": mae_of(p), "lpips": None,
            "restored_sha256": "0", **cells, **image_digests(f"{i} {images}"),
        }
        for i, p in enumerate(psnrs)
    )  # fmt: skip


def image_digests(image: str) -> dict[str, str]:
    return {"blur_sha256": digest(f"blur {image}"), "sharp_sha256": digest(f"sharp {image}")}


def content_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """The digest of a dataset with these rows."""
    return content_sha256((row["name"], row["blur_sha256"], row["sharp_sha256"]) for row in rows)


def write_results(
    folder: Path,
    name: str,
    psnrs: list[float],
    *,
    protocol: str = "direct/1",
    dataset: str = "sdd",
    images: str = "of one camera",
    status: str = "measured",
    crop: int = 1,
) -> Path:
    """Results of a method, one row per PSNR; `images` distinguishes datasets of one name."""
    rows = known_rows(psnrs, images)
    missing = ("missing",) if status == "partial" else ()
    results = Results(
        Method(name),
        {"name": dataset, "split": "test", "sha256": content_of(rows), "n_images": len(rows) + len(missing)},
        protocol_block(build_protocol(protocol, {"estimator": "dis", "preset": "medium"}, crop)),
        rows,
        status,
        missing=missing,
        environment={"sdd-bench": "0.1.0"},
    )
    path = folder / f"{name.strip('=<>/ ')}-{protocol.replace('/', '-')}-{crop}.json"
    results.save(path)
    return path
