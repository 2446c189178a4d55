"""Draw the pictures of the README: python docs/draw_pictures.py [protocols pair restored].

The photographs are `coffee` and `chelsea` of scikit-image, both CC0. The scores that a picture shows are also written
to NAME.json, and `tests/test_readme.py` compares the README with them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

import sdd_bench as sb
from sdd_bench.evaluation.protocol import build_protocol, score, truth_for
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.registration.flow import load_flow
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.cameras import read_camera

FloatArray = NDArray[np.float32]
OUT = Path(__file__).parent / "pictures"
SIZE = (384, 240)
ERROR_GAIN = 6
INK, PALE = "#1d2733", "#5b6673"

WHY = {
    "direct/1": "sharp photograph as it is:\nmisalignment counts as error",
    "paper/1": "sharp photograph warped\nonto each prediction: softened,\nand forgives displacement",
    "jdrl-ref/1": "the 2023 release's grid:\nmoves even aligned pairs",
    "anchored/2": "sharp photograph warped once\nonto the blur image:\nonly proven pixels count",
}
"""Protocol to a description of its ground truth, in three short lines."""


def made_pair(photo: str, seed: int) -> CameraPair:
    """Return a pair of the camera `motor` from a photograph of scikit-image."""
    pixels = np.asarray(getattr(skimage.data, photo)(), np.float32) / 255
    return draw_pair(pixels, read_camera("motor", []), SIZE, (0.0, 4.0), seed)


def prediction_of(pair: CameraPair) -> FloatArray:
    """Return a realistic, imperfect prediction: 70 % ground truth and 30 % blur image, in 8 bits."""
    mixed = 0.7 * pair.truth + 0.3 * pair.blur_clean
    return np.asarray((mixed * 255).round().clip(0, 255) / 255, np.float32)


def show(axes: Axes, image: NDArray[np.floating], title: str = "", below: str = "") -> None:
    """Show an image without axes, with a title above and a caption below."""
    axes.imshow(np.clip(image, 0, 1), interpolation="lanczos")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(title, fontsize=9.5, color=INK, pad=4)
    axes.set_xlabel(below, fontsize=8, color=PALE, labelpad=4)


def draw_protocols() -> None:
    """Draw one prediction and the ground truths of four protocols, with the score and the error under each."""
    pair = made_pair("coffee", 5)
    restored = prediction_of(pair)
    anchor = sb.anchor(pair.blur, pair.sharp)
    flow = load_flow("dis", "cpu")
    figure = Figure(figsize=(11, 3.75), dpi=130, facecolor="white")
    grid = figure.subplots(2, 5)
    show(grid[0, 0], pair.blur, "blur image")
    show(grid[1, 0], restored, "prediction")
    scores: dict[str, float] = {}
    for column, (name, why) in enumerate(WHY.items(), 1):
        protocol, mask = build_protocol(name, {}), None
        if protocol.anchored:
            truth, mask = anchor.truth, anchor.mask
            seen = restored
        else:
            width, height = protocol.cropped(*SIZE)
            seen, sharp = (image[:height, :width] for image in (restored, pair.sharp))
            truth = truth_for(seen, sharp, protocol, flow)
        value = score(seen, truth, ("psnr_db",), mask=mask)["psnr_db"]
        assert value is not None
        scores[name] = round(value, 2)
        error = np.repeat(np.abs(seen - truth).mean(axis=2, keepdims=True), 3, axis=2) * ERROR_GAIN
        if mask is not None:
            error[~mask] = (0.80, 0.86, 0.93)
        show(grid[0, column], truth, f"{name}: {value:.1f} dB")
        show(grid[1, column], error, "", why)
        grid[0, column].text(6, 14, "ground truth", fontsize=7.5, color="white", va="center")
        grid[1, column].text(6, 14, f"error x {ERROR_GAIN}", fontsize=7.5, color=PALE if mask is not None else "white")
    exact = float(score(restored, pair.truth, ("psnr_db",), mask=anchor.mask)["psnr_db"] or 0)
    grid[1, 0].set_xlabel(
        f"exact truth, known here,\nover the pixels of\nanchored/2: {exact:.1f} dB", fontsize=8, color=PALE
    )
    figure.subplots_adjust(left=0.004, right=0.996, top=0.945, bottom=0.15, wspace=0.03, hspace=0.12)
    scores["exact"] = round(exact, 2)
    save(figure, "protocols", {"psnr_db": scores, "pair": "coffee, camera motor, radius 0 to 4 px"})


def draw_a_pair() -> None:
    """Draw the files that `synthesise` writes for one pair."""
    pair = made_pair("chelsea", 3)
    radius = np.abs(pair.defocus_px) / 4
    shown = cv2.applyColorMap((radius * 255).clip(0, 255).astype(np.uint8), cv2.COLORMAP_VIRIDIS)[..., ::-1] / 255
    difference = np.abs(pair.sharp - pair.truth) * 2
    figure = Figure(figsize=(11, 1.55), dpi=130, facecolor="white")
    images = {
        "blur image": pair.blur, "sharp photograph": pair.sharp, "exact ground truth": pair.truth,
        "sharp - ground truth (x 2)": difference, "blur radius, 0 to 4 px": shown,
    }  # fmt: skip
    for axes, (title, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        show(axes, image, title)
    figure.subplots_adjust(left=0.005, right=0.995, top=0.87, bottom=0.01, wspace=0.03)
    save(figure, "pair", {})


def draw_restored() -> None:
    """Draw a blur image and its restoration by the small network that comes with sdd-bench."""
    pair = made_pair("coffee", 5)
    restored = sb.load_baseline("jdrl-small")(pair.blur)
    inner = (slice(16, -16), slice(16, -16))
    scores = {
        name: round(float(sb.score(image[inner], pair.truth[inner], metrics=("psnr_db",))["psnr_db"]), 2)  # type: ignore[arg-type]
        for name, image in (("blur", pair.blur), ("restored", restored))
    }
    place = (slice(20, 180), slice(80, 330))
    figure = Figure(figsize=(11, 2.9), dpi=130, facecolor="white")
    images = {
        f"blur image: {scores['blur']:.1f} dB": pair.blur,
        f"restored by jdrl-small: {scores['restored']:.1f} dB": restored,
        "exact ground truth": pair.truth,
    }
    for axes, (title, image) in zip(figure.subplots(1, len(images)), images.items(), strict=True):
        show(axes, image[place], title)
    figure.subplots_adjust(left=0.005, right=0.995, top=0.91, bottom=0.01, wspace=0.02)
    save(figure, "restored", {"psnr_db": scores, "pair": "coffee, camera motor, radius 0 to 4 px"})


def save(figure: Figure, name: str, about: dict[str, object]) -> None:
    """Write a picture as a palette PNG, and its scores as JSON."""
    from io import BytesIO

    from PIL import Image

    OUT.mkdir(exist_ok=True)
    drawn = BytesIO()
    figure.savefig(drawn, format="png")
    small = Image.open(drawn).convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
    small.save(OUT / f"{name}.png", optimize=True)
    if about:
        write_text(OUT / f"{name}.json", json_text(about))


PICTURES: dict[str, Callable[[], None]] = {
    "protocols": draw_protocols,
    "pair": draw_a_pair,
    "restored": draw_restored,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]()
