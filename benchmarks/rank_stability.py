"""How stable rankings are: of the predictions of known quality of conformance.py, and of results given.

    python benchmarks/rank_stability.py [--quick] [--results FILE ...] [--markdown FILE]

Without --results, pairs with known ground truth are made as in conformance.py, its predictions are written to a
temporary folder, scored under every protocol by `evaluate`, and compared by the functions of `sdd_bench stability`.
Photographs are those of the folder that SDD_BENCH_TEST_ASSETS names, else small ones of scikit-image.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import machine
import misaligned_sets as sets
from conformance import QUICK_SIZE, RADII_PX, SIZE
from known_predictions import make_pair, predictions, rounded
from pages import write_page

from leaderboard.entry import Entry, read_entry
from leaderboard.stability import stability, stability_markdown
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.evaluation.evaluate import Evaluation, evaluate
from sdd_bench.evaluation.protocol import PROTOCOLS
from sdd_bench.evaluation.results import Method
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.anchor import find_anchor

PHOTOGRAPHS = 5
METRICS = ("psnr_db", "ssim", "mae")


def write_predictions(root: Path, quick: bool) -> list[str]:
    """Write data/test/{blur,gt} and predictions/KIND/NAME.png; return the names of the predictions."""
    width, height = QUICK_SIZE if quick else SIZE
    scenes = sets.load_scenes(2 if quick else PHOTOGRAPHS, (width, height))[0]
    names: dict[str, None] = {}
    for index, scene in enumerate(scenes):
        other = rounded(scenes[(index + 1) % len(scenes)].picture[:height, :width])
        for number, radius in enumerate(RADII_PX):
            pair = make_pair(scene, radius, (width, height), 100 + index)
            name = f"{index}{number}"
            write_png(root / "data" / "test" / "blur" / f"{name}.png", to_pixels(pair.blur))
            write_png(root / "data" / "test" / "gt" / f"{name}.png", to_pixels(pair.sharp))
            mask = find_anchor(pair.blur, pair.sharp).mask
            for prediction in predictions(pair, other, mask, 200 + index):
                names[prediction.name] = None
                write_png(root / "predictions" / prediction.name / f"{name}.png", to_pixels(prediction.image))
    return list(names)


def scored(root: Path, names: Sequence[str], jobs: int) -> list[Entry]:
    """Return the entries of all predictions under every protocol."""
    dataset = open_dataset(root / "data", "test")
    entries = []
    for number, name in enumerate(names):
        folder, method = root / "predictions" / name, Method(name)
        wanted = Evaluation(dataset, "test", folder, tuple(PROTOCOLS), metrics=METRICS, method=method)
        outs = {protocol: root / "results" / f"{number}.{protocol.replace('/', '-')}.json" for protocol in PROTOCOLS}
        evaluate(wanted, outs, jobs)
        entries += [read_entry(path) for path in outs.values()]
    return entries


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small photographs")
    parser.add_argument("--results", type=Path, nargs="+", help="of other methods, instead")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.results:
        entries = [read_entry(path) for path in arguments.results]
    else:
        with tempfile.TemporaryDirectory() as folder:
            names = write_predictions(Path(folder), arguments.quick)
            entries = scored(Path(folder), names, arguments.jobs)
    about = f"{len({e.method.name for e in entries})} methods, {entries[0].n_images} images"
    text = f"{machine.describe('numpy', 'scipy', 'opencv-python')}\n{about}\n\n{stability_markdown(stability(entries))}"
    print(text)
    if arguments.markdown:
        write_page(arguments.markdown, text)


if __name__ == "__main__":
    main()
