"""The card of `jdrl-small`: what it was trained on and how, and what it scores on pairs of other photographs.

    python benchmarks/small_card.py --run RUN --pairs DIR [DIR ...] --sharp FILE_OR_FOLDER ... --photographs TEXT.md
        [--real FOLDER ...] [--out jdrl_baseline/weights]

Exports the running mean of a run of `small_weights.py` as OUT/jdrl-small.pt and writes OUT/jdrl-small.md. Each DIR is
an output of `sdd-bench synthesise --camera motor`, from photographs that were not used in training, and has a section
under its name; TEXT.md lists the photographs used in training and their licences, and is copied into the card. Real
pairs are folders with blur/ and gt/.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

import numpy as np
import torch
from small_crops import Recipe
from small_pairs import files_of
from small_scores import IN_FOCUS_PX, RADII_PX, score_pairs, unharmed
from small_weights import AT, LAST, LOG, Training, export

from jdrl_baseline.baselines import Baseline, load_baseline
from jdrl_baseline.networks.deblurring import parameter_count
from sdd_bench.api.methods import evaluate
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.datasets.manifest import Dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import PROTOCOLS
from sdd_bench.io.files import write_text
from sdd_bench.io.images import read_image
from sdd_bench.version import __version__

NAME = "jdrl-small"
SHOWN = ("anchored/2", "anchored/1", "paper/1", "jdrl-ref/1", "direct/1")
METRICS = ("psnr", "ssim")
FOCUS = f"EBDB, which knows nothing of this network, finds a blur of under {IN_FOCUS_PX:g} px"


def interval(values: np.ndarray) -> str:
    """Return the mean and its 95 % interval by Student's t, as text."""
    from scipy import stats

    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0
    return f"{values.mean():+.2f} ({values.mean() - half:+.2f} to {values.mean() + half:+.2f})"


def protocol_rows(baseline: Baseline, dataset: Dataset, split: str) -> list[str]:
    """Return the table of a dataset's scores, one row per protocol; a protocol that cannot score gives the reason."""
    lines = [
        "| protocol | pairs | blur image, dB | restored, dB | gain, dB, 95 % interval | pairs better | SSIM |",
        "|" + "---|" * 7,
    ]
    for protocol in (name for name in SHOWN if name in PROTOCOLS):
        try:
            blur, restored = (
                evaluate(
                    method, dataset, protocol=protocol, split=split, metrics=METRICS, exclude_failed=True,
                    diagnostics=False, method=name,
                ).rows
                for name, method in (("blur", lambda image: image), (NAME, baseline))
            )  # fmt: skip
        except UserError as error:
            lines.append(f"| `{protocol}` | {error.message.splitlines()[0]} | | | | | |")
            continue
        gain = np.asarray(restored["psnr_db"] - blur["psnr_db"], float)
        cells = [
            f"`{protocol}`", str(len(gain)), f"{blur['psnr_db'].mean():.2f}", f"{restored['psnr_db'].mean():.2f}",
            interval(gain), f"{(gain > 0).sum()}", f"{blur['ssim'].mean():.3f} to {restored['ssim'].mean():.3f}",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def radius_rows(scores: dict[str, object]) -> list[str]:
    """Return the table of PSNR against the exact ground truth by blur radius."""
    lines = [
        "| radius, px | share of the pixels | blur image, dB | restored, dB | share in focus | blur image | restored |",
        "|" + "---|" * 7,
    ]
    names = ("share", "blur_db", "restored_db", "focus_share", "focus_blur_db", "focus_restored_db")
    for row in scores["by_radius"]:  # type: ignore[attr-defined]
        cells = ["" if row[name] is None else f"{row[name]:.2f}" for name in names]
        lines.append(f"| {row['from_px']:g} to {row['to_px']:g} | {' | '.join(cells)} |")
    return lines


def sharp_rows(baseline: Baseline, paths: list[Path], side_px: int = 1024) -> list[str]:
    """Return the table of sharp photographs given to the network; those larger than `side_px` are reduced."""
    import cv2

    lines = [
        "| photograph | size | PSNR of what is made of it against itself, dB | share in focus | PSNR there, dB |",
        "|" + "---|" * 5,
    ]
    for path in paths:
        photo = read_image(path)
        scale = min(1.0, side_px / max(photo.shape[:2]))
        if scale < 1:
            size = round(photo.shape[1] * scale), round(photo.shape[0] * scale)
            photo = np.ascontiguousarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA).clip(0, 1))
        found = unharmed(baseline, photo)
        there = "" if found["focus_db"] is None else f"{found['focus_db']:.2f}"
        lines.append(
            f"| {path.stem} | {found['size']} | {found['psnr_db']:.2f} | {found['focus_share']:.2f} | {there} |"
        )
    return lines


def scored(baseline: Baseline, folder: Path) -> list[str]:
    """Return the sections on simulated pairs: gain against the exact truth, protocols, errors by radius."""
    scores = score_pairs(baseline, [folder])
    gains = np.array([row["restored_db"] - row["blur_db"] for row in scores["pairs"]])  # type: ignore[attr-defined]
    mean = cast(dict[str, float], scores["mean"])
    return [
        f"### Pairs of photographs of {folder.name}",
        f"{len(gains)} simulated pairs, `synthesise --camera motor`, radius 0 to 6 px, noise of 1 count. Against the "
        f"exact truth, 16 px of border left out: blur image {mean['blur_db']:.2f} dB, restored "
        f"{mean['restored_db']:.2f} dB, gain {interval(gains)} dB, {int((gains > 0).sum())} of {len(gains)} pairs "
        f"better, the worst {gains.min():+.2f} dB.",
        "\n".join(protocol_rows(baseline, open_dataset(folder, "test"), "test")),
        "By the radius of the blur, errors of all pairs pooled; on the right, the pixels that are in focus in the "
        f"photograph itself ({FOCUS}):",
        "\n".join(radius_rows(scores)),
    ]


def drawn_words(recipe: Recipe) -> str:
    """Return what the card says of the crops that were blurred as they were drawn."""
    if not recipe.drawn:
        return ""
    return (
        f"; {100 * recipe.drawn:.0f} % of the crops are of other sharp pieces (`benchmarks/small_truths.py`) and get a "
        f"new blur each time they are drawn, {100 * recipe.leaves:.0f} % of these are dead leaves, pictures of random "
        "shapes"
    )


def card(
    run: Path, kept: Path, weights: Path, pairs: list[Path], sharp: list[Path], photographs: str, real: list[Path]
) -> str:
    """Return the card's text."""
    training, _ = Training.load(kept)
    recipe = training.recipe
    baseline = load_baseline(weights)
    log = [json.loads(line) for line in (run / LOG).read_text(encoding="utf-8").splitlines()]
    changes = [
        f" Changed at step {line['step']:,}: `{json.dumps(line['recipe'])}`." for line in log if "recipe" in line
    ]
    changes += [
        f" From step {line['step']:,} on: planned to {line['planned']:,} steps." for line in log if "planned" in line
    ]
    cpu_s = next(line["cpu_s_a_step"] for line in reversed(log) if "cpu_s_a_step" in line)
    sections = [
        f"# {NAME}",
        f"A residual network at half size, {recipe.blocks} blocks of {recipe.width} channels, "
        f"{parameter_count(training.mean):,} numbers, for defocus blur of up to 6 px radius: "
        f"`sdd-bench predict --baseline {NAME} --images FOLDER --out OUT`. Made by `benchmarks/small_weights.py`, this "
        f"card by `benchmarks/small_card.py`, sdd-bench {__version__}, PyTorch {torch.__version__}.",
        "## Data",
        "Pairs of the camera `motor` with their exact, aligned truth (`benchmarks/small_pairs.py`)"
        f"{drawn_words(recipe)}; sha256 of all files {training.pairs_sha256[:16]}. Noise is added in training. "
        f"{photographs.strip()}",
        "## Training",
        f"Supervised by the exact truth: it is the network of the testbed, not the method of the papers. "
        f"Charbonnier's loss, Adam, {training.step:,} steps of {recipe.batch} crops of {recipe.crop}x{recipe.crop} px, "
        f"learning rate {recipe.learning_rate:g}, seed {recipe.seed}, one thread of a CPU, "
        f"{cpu_s:.2f} CPU seconds a step. All settings: `{json.dumps(recipe.__dict__)}`.{''.join(changes)}",
        "## Scores",
        *(section for folder in pairs for section in scored(baseline, folder)),
        "### Photographs given as they are",
        f"Photographs have out-of-focus parts of their own, which are sharpened like any other. In focus: {FOCUS}.",
        "\n".join(sharp_rows(baseline, sharp)),
    ]
    for folder in real:
        found = open_dataset(folder, "test")
        sections += [f"Real pairs, {folder.name}:", "\n".join(protocol_rows(baseline, found, "test"))]
    sections += [
        "## What it cannot do",
        f"Blur of over {RADII_PX[-1]:g} px was never seen. It knows no motion blur, no JPEG and no noise much over 1.5 "
        "counts of 255, which it would sharpen. The simulated camera is not a real one. It was trained on few "
        "photographs, a short time; it is a start to compare with, not the state of the art.",
    ]
    return "\n\n".join(sections) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--pairs", nargs="+", type=Path, required=True)
    parser.add_argument("--sharp", nargs="+", type=Path, required=True)
    parser.add_argument("--photographs", type=Path, required=True, metavar="TEXT.md")
    parser.add_argument("--real", nargs="*", type=Path, default=[])
    parser.add_argument("--step", type=int, default=0, help="of the validation to export; the last checkpoint if 0")
    parser.add_argument("--out", type=Path, default=Path("jdrl_baseline/weights"))
    arguments = parser.parse_args()
    weights = arguments.out / f"{NAME}.pt"
    export(arguments.run, weights, arguments.step)
    sharp = files_of(arguments.sharp)
    photographs = arguments.photographs.read_text(encoding="utf-8")
    kept = arguments.run / (AT.format(arguments.step) if arguments.step else LAST)
    text = card(arguments.run, kept, weights, arguments.pairs, sharp, photographs, arguments.real)
    write_text(arguments.out / f"{NAME}.md", text)
    print(text)


if __name__ == "__main__":
    main()
