"""The rows of the paper's Table 5 on pairs with known truth, small enough for a CPU: does it learn, and through what?

    python benchmarks/ablation.py [--rows NAME ...] [--seeds 3] [--steps 700] [--work DIR] [--markdown FILE]

Train and test pairs are synthesised from different photographs (SDD_BENCH_TEST_ASSETS, else those of scikit-image),
zoom to 2 %, shift to 15 px. Every row is a UNet; `ceiling` is trained on the aligned truth with L1. Scored on the test
pairs against the aligned truth and by anchored/2. Finished runs in DIR are kept: a run that was cut off goes on.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path

import machine

from sdd_bench.io.files import write_text
from sdd_bench.io.images import list_images, read_image
from sdd_bench.version import __version__

ROWS = (
    "unet-l1", "unet-no-cycle", "unet-no-mask", "unet-no-reblur", "unet-no-kpn", "unet-no-wpn", "unet-eq1", "ceiling",
)  # fmt: skip
PAPER_DB = {
    "unet-l1": 24.62, "unet-no-cycle": 24.80, "unet-no-mask": 25.78, "unet-no-reblur": 25.58, "unet-no-kpn": 25.68,
    "unet-no-wpn": 25.74, "unet-eq1": 25.94,
}  # fmt: skip
TRAIN_PAIRS, TEST_PAIRS = 60, 12
SIZE = "256x256"
MAX_RADIUS = 3
COMMAND = (sys.executable, "-m", "sdd_bench.cli")


@dataclass(frozen=True)
class Trial:
    """How small it is."""

    steps: int
    width: int
    reblur_width: int
    batch: int
    crop: int
    warm_up: float
    precision: str

    @property
    def epochs(self) -> int:
        """Epochs of the whole training."""
        return -(-self.steps // (TRAIN_PAIRS // self.batch))

    def settings(self, seed: int) -> dict[str, object]:
        """Return the settings of a run, the same for every row; halving as the paper's share of the whole.

        The UNet begins at the blur image: else it spends the whole trial on learning to draw one.
        """
        return {
            "width": self.width, "reblur_width": self.reblur_width, "batch": self.batch, "crop": self.crop,
            "epochs": self.epochs, "steps": self.steps, "warmup_epochs": round(self.warm_up * self.epochs),
            "halve_every": round(0.3 * self.epochs), "learning_rate": 1e-3, "dropout": 0.0, "residual": "true",
            "flips": "true", "val_scenes": 0, "sample_every": 1000, "workers": 0, "seed": seed,
        }  # fmt: skip


def call(*words: object, log: Path | None = None) -> None:
    """Run a command of sdd-bench with one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False, env=environment)
    if log is not None:
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"sdd-bench {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")


def photographs() -> tuple[list[Path], list[Path]]:
    """Return photographs to train on and others to test on."""
    folder = os.environ.get("SDD_BENCH_TEST_ASSETS")
    if folder:
        files = list_images(Path(folder) / "data" / "sharp-photos")
    else:
        import skimage

        data = Path(skimage.__file__).parent / "data"
        files = [
            data / name for name in ("chelsea.png", "coffee.png", "motorcycle_left.png", "astronaut.png", "rocket.jpg")
        ]
    return [f for i, f in enumerate(files) if i % 3 != 2], files[2::3]


def make_data(work: Path) -> None:
    """Synthesise pairs and prepare two datasets of them: as taken, and with the aligned truth as sharp image."""
    if (work / "aligned" / "data" / "dataset.json").is_file():
        return
    train, test = photographs()
    common = ("--size", SIZE, "--max-radius", MAX_RADIUS, "--jobs", 2)
    call("synthesise", *train, "--out", work / "train", "--count", TRAIN_PAIRS, "--seed", 1, *common)
    call("synthesise", *test, "--out", work / "test", "--count", TEST_PAIRS, "--seed", 2, *common)
    for name, truth in (("taken", "gt"), ("aligned", "truth/aligned")):
        root = work / name / "source"
        for split, source in (("train_patches", "train"), ("test", "test")):
            shutil.copytree(work / source / "blur", root / split / "blur", dirs_exist_ok=True)
            shutil.copytree(work / source / truth, root / split / "gt", dirs_exist_ok=True)
        call("prepare", root, "--dataset", "sdd", "--name", name, "--out", work / name / "data", "--jobs", 2)


def train(work: Path, row: str, seed: int, trial: Trial) -> float:
    """Train a row where it is not trained yet, predict, and return the seconds of training."""
    run = work / "runs" / f"{row}-{seed}"
    data = work / ("aligned" if row == "ceiling" else "taken") / "data"
    started = time.perf_counter()
    if not (run / "deblurring.pt").is_file():
        preset = "unet-l1" if row == "ceiling" else row
        words = [w for k, v in trial.settings(seed).items() for w in ("--set", f"{k}={v}")]
        begin = ("--resume", run) if (run / "last.pt").is_file() else ("--preset", preset, *words, "--out", run)
        call("train-baseline", "--data", data, *begin, "--accelerator", "cpu", "--precision", trial.precision)
    seconds = time.perf_counter() - started
    chosen = ("--checkpoint", run / "deblurring.pt", "--data", work / "taken" / "data")
    call("predict", *chosen, "--out", run / "predictions")
    print(f"{row}, seed {seed}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return seconds


def scores(work: Path, predictions: Path) -> tuple[float, float]:
    """Return mean PSNR against the aligned truth, 16 px of border left out, and mean anchored/2 PSNR."""
    from sdd_bench.datasets.manifest import read_prepared
    from sdd_bench.evaluation.anchors import ensure_anchors, read_truth
    from sdd_bench.metrics.fidelity import psnr_db

    data = work / "taken" / "data"
    pairs = read_prepared(data).split("test")
    exact, anchored = [], []
    for pair, record in zip(pairs, ensure_anchors(pairs, data / "anchors", 1), strict=True):
        restored = read_image(predictions / f"{pair.name}.png")
        truth = read_image(work / "test" / "truth" / "aligned" / f"{pair.name}.png")
        inner = (slice(16, -16), slice(16, -16))
        exact.append(psnr_db(restored[inner], truth[inner]))
        if record.status == "anchored":
            stored = read_truth(data / "anchors", pair, record)
            anchored.append(psnr_db(restored, stored.truth, stored.mask))
    return statistics.fmean(exact), statistics.fmean(anchored)


def table(work: Path, rows: list[str], seeds: int) -> list[str]:
    """Return the table of what is there to score, a row a variant."""
    lines = [
        "| row | paper, SDD, dB | seeds | aligned truth, dB | from to | anchored/2, dB |",
        "|---|---|---|---|---|---|",
    ]
    blur = scores(work, work / "taken" / "data" / "test" / "blur")
    lines.append(f"| blur image | | | {blur[0]:.2f} | | {blur[1]:.2f} |")
    for row in rows:
        folders = [work / "runs" / f"{row}-{seed}" / "predictions" for seed in range(seeds)]
        found = [scores(work, folder) for folder in folders if len(list(folder.glob("*.png"))) == TEST_PAIRS]
        if not found:
            continue
        exact, anchored = ([pair[i] for pair in found] for i in (0, 1))
        paper = f"{PAPER_DB[row]:.2f}" if row in PAPER_DB else ""
        spread = f"{min(exact):.2f} to {max(exact):.2f}"
        means = f"{statistics.fmean(exact):.2f} | {spread} | {statistics.fmean(anchored):.2f}"
        lines.append(f"| {row} | {paper} | {len(found)} | {means} |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--width", type=int, default=24)
    parser.add_argument("--reblur-width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--crop", type=int, default=96)
    parser.add_argument("--warm-up", type=float, default=0.15, help="share of the steps")
    parser.add_argument("--precision", choices=("32", "bf16-mixed"), default="32")
    parser.add_argument("--jobs", type=int, default=2, help="runs side by side, one thread each")
    parser.add_argument("--work", type=Path, default=Path("ablation"))
    parser.add_argument("--table", action="store_true", help="train nothing, score what DIR holds")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    trial = Trial(*(getattr(arguments, field.name) for field in fields(Trial)))
    started = time.perf_counter()
    make_data(arguments.work)
    wanted = [(row, seed) for seed in range(arguments.seeds) for row in arguments.rows]
    if not arguments.table:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(lambda one: train(arguments.work, *one, trial), wanted))
    lines = [
        machine.describe("torch", "numpy", "lightning"),
        f"sdd-bench {__version__}, {datetime.datetime.now(datetime.UTC).date()}",
        "",
        f"UNet of {trial.width} channels, {trial.steps} steps of {trial.batch} crops of {trial.crop}x{trial.crop} "
        f"({trial.warm_up:.0%} of them warm-up), precision {trial.precision}, "
        f"{TRAIN_PAIRS} pairs of {SIZE} to train on, {TEST_PAIRS} to test on, disk radius to {MAX_RADIUS} px, "
        f"up to {arguments.seeds} seeds.",
        "",
        *table(arguments.work, arguments.rows, arguments.seeds),
    ]
    if not arguments.table:
        lines += ["", f"{time.perf_counter() - started:.0f} s in all, {arguments.jobs} runs side by side."]
    print("\n".join(lines))
    if arguments.markdown:
        write_text(arguments.markdown, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
