"""How far the leaderboard's intervals and ranks hold what they claim, on simulated scores.

    python benchmarks/ranks.py [--quick] [--markdown FILE] [--journal FILE]

Every figure is seeded by its own name and kept in the journal, from which a later run with the same settings and code
takes it; an interrupted run resumes. `--quick` checks in under a minute that everything runs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import machine
import numpy as np
from pages import write_page
from rank_checks import checks
from rank_draws import BEYOND, DRAWS, QUICK, Effort, coverage, false_separations, one_sided, power
from rank_tables import Figures, page
from tqdm import tqdm

from leaderboard import intervals, sign_flips, statistics
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.version import __version__

IMAGES = (2, 3, 5, 7, 10, 20, 35, 50, 76)
METHODS = (2, 4, 10, 20, 50)
GAINS_DB = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5)
POWER_IMAGES = (6, 7, 10, 20, 35, 50, 76)
POWER_METHODS = (2, 10)
SEED = 0

Figure = Callable[[np.random.Generator], dict[str, float]]


def figures(effort: Effort) -> dict[str, Figure]:
    """Return the function that computes each figure, by name, in the order of the page."""
    found: dict[str, Figure] = {}
    for name, draw in (DRAWS | BEYOND).items():
        for n in IMAGES:
            found[f"coverage/{name}/{n}"] = lambda rng, draw=draw, n=n: coverage(draw, n, effort, rng)
    for n in IMAGES:
        found[f"one-sided/{n}"] = lambda rng, n=n: one_sided(n, effort, rng)
    for m in POWER_METHODS:
        for gain in GAINS_DB:
            for n in POWER_IMAGES:
                found[f"power/{m}/{gain}/{n}"] = lambda rng, m=m, n=n, gain=gain: power(m, n, gain, effort, rng)
    for m in METHODS:
        for name, draw in DRAWS.items():
            for n in IMAGES:
                found[f"false/{name}/{m}/{n}"] = lambda rng, draw=draw, m=m, n=n: false_separations(
                    draw, m, n, effort, rng
                )
    return found


def computed(effort: Effort, journal: Path) -> Figures:
    """Return all figures, from the journal if they are in it."""
    made_by = hashlib.sha256(json.dumps(asdict(effort), sort_keys=True).encode())
    for module in (intervals, sign_flips, statistics):
        made_by.update(Path(module.__file__).read_bytes())
    digest = made_by.hexdigest()
    known: Figures = {}
    if journal.is_file():
        content = json.loads(journal.read_text(encoding="utf-8"))
        known = content["figures"] if content.get("made by") == digest else {}
    wanted = figures(effort)
    for name, figure in tqdm(wanted.items(), unit="figure"):
        if name not in known:
            known[name] = figure(np.random.default_rng([SEED, zlib.crc32(name.encode())]))
            write_text(journal, json_text({"made by": digest, "figures": known}))
    return {name: known[name] for name in wanted}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few samples: checks that it runs")
    parser.add_argument("--markdown", type=Path, help="page to write, as docs/tables/statistics.md")
    parser.add_argument("--journal", type=Path, help="figures that are there already [default: build/ranks.json]")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()
    journal = arguments.journal or Path("build") / ("ranks-quick.json" if arguments.quick else "ranks.json")
    found = computed(effort, journal)
    versions = machine.describe("numpy", "scipy", "statsmodels")
    text = page(
        found, checks(np.random.default_rng(SEED)), effort, f"{versions}\nsdd-bench {__version__}", arguments.quick
    )
    print(text)
    if arguments.markdown:
        write_page(arguments.markdown, text)


if __name__ == "__main__":
    main()
