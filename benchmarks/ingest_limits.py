"""What `ingest` makes of pairs of the camera `motor`: clean ones should be accepted, moved objects warned of.

    python benchmarks/ingest_limits.py --work /tmp/ingest-limits --jobs 2

The tables of docs/reference/capture.md. Photographs are those of the folder that SDD_BENCH_TEST_ASSETS names, without
it the five of scikit-image. A run that was cut off goes on with what lies in its folder; give another folder after a
change to the analyser.
"""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from capture.checks import check_pair
from capture.verdict import ACCEPTED, Limits, Measured, beyond, verdict, with_shift
from sdd_bench.io.images import read_pixels
from sdd_bench.synthesis.cameras import read_camera
from sdd_bench.synthesis.settings import Synthesis
from sdd_bench.synthesis.synthesise import synthesise

SIZE = (640, 480)
RADIUS_PX = 6
SHOWN = ("residual_share", "residual_median_px", "residual_p95_px", "parallax_px", "distortion_px", "confidence")


@dataclass(frozen=True)
class Condition:
    """Pairs that differ only in the photograph and the seed.

    Attributes:
        name: Name as printed.
        moved_share: Share of the frame that moved between the shots.
        moved_px: Displacement of that share in px.
        count: Number of pairs per seed.
        seeds: Seeds of the sets.
    """

    name: str
    moved_share: float
    moved_px: float
    count: int
    seeds: tuple[int, ...]


CONDITIONS = (
    Condition("clean", 0, 0, 50, (0, 1)),
    Condition("2 % moved by 2 px", 0.02, 2, 25, (3, 4)),
    Condition("5 % moved by 3 px", 0.05, 3, 25, (2,)),
)


def measured(condition: Condition, work: Path, jobs: int) -> list[Measured]:
    """Return the figures of the pairs of a condition; missing pairs and figures are computed."""
    assets = os.environ.get("SDD_BENCH_TEST_ASSETS")
    photos = [Path(assets) / "data" / "sharp-photos"] if assets else None
    camera = read_camera(
        "motor",
        [
            f"moved_share={condition.moved_share}",
            f"moved_px={condition.moved_px}",
            f"radius_high_px={RADIUS_PX}",
        ],
    )
    found: list[Measured] = []
    for seed in condition.seeds:
        folder = work / f"moved-{condition.moved_share}-{condition.moved_px}-seed-{seed}"
        settings = Synthesis.of_camera(camera, count=condition.count, size=SIZE, seed=seed)
        kept = work / f"{folder.name}.json"
        if not kept.exists():
            synthesise(photos, folder, settings, jobs)
            with ProcessPoolExecutor(jobs) as pool:
                rows = list(pool.map(figures_of, sorted((folder / "blur").iterdir())))
            kept.write_text(json.dumps(rows), encoding="utf-8")
        found += json.loads(kept.read_text(encoding="utf-8"))
    return found


def figures_of(blur: Path) -> Measured:
    """Return the figures of a pair, given its blur image."""
    cv2.setNumThreads(1)
    return check_pair(read_pixels(blur), read_pixels(blur.parent.parent / "gt" / blur.name))


def exceeded(figures: Measured) -> list[str]:
    """Return the figures of a pair that are beyond their limits; instead of `kind`, its value."""
    names = [name for name, value in with_shift(figures).items() if beyond(name, value, Limits(), SIZE[0])]
    return [str(figures["kind"]) if name == "kind" else name for name in names]


def tables(found: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Return the lines of both tables, as Markdown."""
    counts = {name: Counter(what for pair in pairs for what in exceeded(pair)) for name, pairs in found.items()}
    reasons = sorted({what for count in counts.values() for what in count})
    lines = [f"| pairs | number | accepted | {' | '.join(reasons)} |", "|---" * (3 + len(reasons)) + "|"]
    for name, pairs in found.items():
        accepted = sum(verdict(pair, Limits(), SIZE[0]).status == ACCEPTED for pair in pairs)
        cells = (name, len(pairs), accepted, *(counts[name][what] for what in reasons))
        lines.append(f"| {' | '.join(map(str, cells))} |")
    lines += ["", f"| pairs | {' | '.join(SHOWN)} |", "|---" * (1 + len(SHOWN)) + "|"]
    for name, pairs in found.items():
        ends = [np.percentile(np.abs([float(pair[figure]) for pair in pairs]), (50, 95, 100)) for figure in SHOWN]
        lines.append(f"| {name} | {' | '.join(', '.join(f'{end:.3f}' for end in three) for three in ends)} |")
    return [*lines, "", "Second table: median, 95th percentile and largest of the absolute values."]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="Folder for the pairs and their figures.")
    parser.add_argument("--jobs", type=int, default=1, help="Number of processes.")
    given = parser.parse_args()
    found = {condition.name: measured(condition, given.work, given.jobs) for condition in CONDITIONS}
    print("\n".join(tables(found)))


if __name__ == "__main__":
    main()
