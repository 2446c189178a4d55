"""The rows of the paper's Table 5 and some more on pairs with known truth: does it learn, and through what?

    python benchmarks/ablation.py [--conditions NAME ...] [--rows NAME ...] [--seeds 2] [--steps 1500] [--jobs 2]
        [--work DIR] [--table] [--markdown FILE]

Train and test pairs are synthesised from different photographs, see `ablation_data.py`. Every row is the small network
that starts at the blur image; rows of one seed see the same crops in the same order, so that they are compared paired.
Runs in DIR are kept: a call that was cut off, or asks for more rows, goes on. `--table` trains nothing.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import machine
from ablation_data import CONDITIONS, SIDE_PX, TEST_PAIRS, TRAIN_PAIRS, make_data, make_pairs
from ablation_runs import ROWS, Trial, train_row
from ablation_tables import radius_table, score_table

from sdd_bench.io.files import write_text
from sdd_bench.version import __version__


def prepare(work: Path, conditions: list[str], rows: list[str]) -> None:
    """Make the pairs and datasets that the rows need."""
    for condition in conditions:
        pairs = make_pairs(work, CONDITIONS[condition])
        for kind in sorted({ROWS[row].data for row in rows}):
            make_data(pairs, kind)


def train_all(work: Path, conditions: list[str], rows: list[str], seeds: int, trial: Trial, jobs: int) -> None:
    """Train what is not trained yet, each run in a process of its own with one thread, the first seeds first."""
    wanted = [(condition, row, seed) for seed in range(seeds) for condition in conditions for row in rows]

    def one(run: tuple[str, str, int]) -> None:
        started = time.perf_counter()
        words = [sys.executable, __file__, "--work", work, "--one", *run, "--trial", json.dumps(trial.__dict__)]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, run))}\n{done.stdout}{done.stderr}")
        print(f"{' '.join(map(str, run))}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, wanted))


def page(work: Path, conditions: list[str], rows: list[str], seeds: int, trial: Trial) -> list[str]:
    """Return what was found, as Markdown."""
    lines = [
        machine.describe("torch", "numpy", "lightning"),
        f"sdd-bench {__version__}, {datetime.datetime.now(datetime.UTC).date()}",
        "",
        f"Small network of 47 thousand numbers, {trial.steps} steps of {trial.batch} crops of "
        f"{trial.crop}x{trial.crop} ({trial.warm_up:.0%} of them warm-up), {TRAIN_PAIRS} pairs of {SIDE_PX}x{SIDE_PX} "
        f"to train on, {TEST_PAIRS} of other photographs to test on, disks of 2 to 3.5 px that vary over the frame, up "
        f"to {seeds} seeds.",
    ]
    for name in conditions:
        pairs = work / "pairs" / CONDITIONS[name].folder
        runs = work / "runs" / name
        lines += ["", f"## {CONDITIONS[name].words}", "", *score_table(runs, pairs, rows, seeds)]
        radii = radius_table(runs, pairs, rows, seeds)
        lines += ["", *radii] if radii else []
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=2)
    for name, value in Trial().__dict__.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--work", type=Path, default=Path("ablation"))
    parser.add_argument("--table", action="store_true", help="train nothing, score what DIR holds")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--one", nargs=3, metavar=("CONDITION", "ROW", "SEED"), help=argparse.SUPPRESS)
    parser.add_argument("--trial", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        condition, row, seed = arguments.one
        train_row(arguments.work, condition, row, int(seed), Trial(**json.loads(arguments.trial)))
        return
    trial = Trial(*(getattr(arguments, name) for name in Trial().__dict__))
    if not arguments.table:
        prepare(arguments.work, arguments.conditions, arguments.rows)
        train_all(arguments.work, arguments.conditions, arguments.rows, arguments.seeds, trial, arguments.jobs)
    lines = page(arguments.work, arguments.conditions, arguments.rows, arguments.seeds, trial)
    print("\n".join(lines))
    if arguments.markdown:
        write_text(arguments.markdown, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
