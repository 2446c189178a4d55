"""Pairs under anchored/2, predictions of known kinds, and their scores."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from known_camera import PLAIN, in_8_bits, taken
from numpy.typing import NDArray

from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.evaluation.anchors import ensure_anchors
from sdd_bench.evaluation.evaluate import Evaluation, evaluate
from sdd_bench.evaluation.results import Method, Results
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.warp import remapped

Image = NDArray[np.floating]
METHOD, PROTOCOL = "anchor/2", "anchored/2"
NAMES = ("a", "b")
SIZE = (320, 224)
BORDER_PX = 16
WHAT = ("honest", "moved", "bent", "filtered", "copied", "garbage", "blur", "generated", "single")
"""Folders of predictions; in `single`, one image of an honest method is displaced."""


def moved(image: Image, right: Image | float, down: Image | float = 0.0) -> Image:
    """The image displaced by pixels, to the right and downwards."""
    flow = np.zeros((*image.shape[:2], 2), np.float32)
    flow[..., 0], flow[..., 1] = -np.asarray(right), -np.asarray(down)
    return remapped(image.astype(np.float32), flow)


def made_of(blur: Image, truth: Image) -> dict[str, Image]:
    """Predictions of a pair, by kind."""
    noise = np.random.default_rng(2).normal(0, 0.008, truth.shape)
    honest = np.clip(cv2.GaussianBlur(truth, (0, 0), 0.8) + noise, 0, 1)
    wave = math.sqrt(2) * 0.5 * np.sin(np.arange(truth.shape[0]) / truth.shape[0] * 4 * np.pi)[:, None]
    garbage = truth.copy()
    garbage[:BORDER_PX] = garbage[:, :BORDER_PX] = np.random.default_rng(3).random(3)
    return {
        "honest": honest,
        "moved": moved(honest, 0.5),
        "bent": moved(honest, wave),
        "filtered": blur + 1.0 * (blur - cv2.GaussianBlur(blur, (0, 0), 2.0)),
        "copied": truth,
        "garbage": garbage,
        "blur": blur,
        "generated": np.clip(cv2.GaussianBlur(truth, (0, 0), 0.6) + invented_detail(truth), 0, 1),
        "single": honest,
    }


def invented_detail(truth: Image) -> Image:
    """Detail as a generative network might invent it: as strong as the image's own, but different everywhere."""
    own = truth - cv2.GaussianBlur(truth, (0, 0), 1.5)
    drawn = np.random.default_rng(4).normal(0, 1, truth.shape[:2])
    drawn = cv2.GaussianBlur(drawn, (0, 0), 0.7) - cv2.GaussianBlur(drawn, (0, 0), 1.5)
    strength = cv2.GaussianBlur(np.abs(own).mean(axis=2), (0, 0), 3.0)
    return (drawn / np.abs(drawn).mean() * strength)[..., None]


def make_judged(root: Path) -> Path:
    """Write two pairs (the second is half in focus), their predictions in folders, and their anchors."""
    for name, radius in (("a", 4), ("b", 3)):
        pair = taken("similarity", *PLAIN, seed=1, radius=radius, size=SIZE)
        blur = pair.blur.copy()
        if name == "b":
            half = np.s_[:, : SIZE[0] // 2]
            blur[half] = in_8_bits(
                pair.truth[half] + np.random.default_rng(5).normal(0, 1 / 255, pair.truth.shape)[half]
            )
        for role, image in (("blur", blur), ("gt", pair.sharp)):
            write_png(root / "data" / "test" / role / f"{name}.png", to_pixels(image))
        for what, image in made_of(blur, pair.truth).items():
            drawn = moved(image, 0.6) if (what, name) == ("single", "b") else image
            write_png(root / what / f"{name}.png", to_pixels(np.clip(drawn, 0, 1)))
    ensure_anchors(open_dataset(root / "data", "test").pairs, root / "data" / "anchors", 1, method=METHOD)
    return root


def run(root: Path, folder: str, *protocols: str, **changes: Any) -> dict[str, Results]:
    wanted = Evaluation(
        open_dataset(root / "data", "test"), "test", root / folder, protocols or (PROTOCOL,),
        metrics=("psnr_db", "ssim", "mae"), method=Method(folder),
    )  # fmt: skip
    wanted = replace(wanted, **changes)
    targets = {name: root / f"{folder}.{name.replace('/', '-')}.json" for name in wanted.protocols}
    return dict(zip(wanted.protocols, evaluate(wanted, targets, 1), strict=True))


def row_of(results: Results, name: str = "a") -> Mapping[str, Any]:
    return next(row for row in results.images if row["name"] == name)
