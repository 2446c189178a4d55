"""Processing of one pair of a session: both files are developed alike, measured, and written to a temporary place."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capture.checks import check_pair
from capture.develop import Development, develop, file_format, is_raw, orientation_of, white_balance_of
from capture.dump import WhiteBalance
from capture.exif import read_taken
from capture.figures import light_ratios
from capture.orientation import lay_alike
from capture.record import EXIF_NUMBERS, INGESTED, ROLES, Developed, Ingested, Original, Role
from capture.session_pictures import histogram, write_pictures
from capture.verdict import Measured
from sdd_bench.datasets.similar import hash_text
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256, write_bytes
from sdd_bench.io.headers import orientations_apart
from sdd_bench.io.images import encode_png, to_float, to_pixels
from sdd_bench.io.reading_notes import read_words
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.mix_ups import find_turn
from sdd_bench.registration.similarity import Similarity


@dataclass(frozen=True)
class PairTask:
    """One pair to develop and measure.

    Attributes:
        name: Name of the pair.
        session: Folder of the session; file names are relative to it.
        blur: File of the blur shot.
        gt: File of the gt shot.
        how: Settings for both.
        match_exposure: Whether the blur shot is matched to the gt shot's light, by one gain per channel.
        stem: Path of the developed images, without `.blur.png` and `.gt.png`.
        pictures: Folder of the report's images.
    """

    name: str
    session: Path
    blur: str
    gt: str
    how: Development
    match_exposure: bool
    stem: Path
    pictures: Path


def developed_file(stem: Path, role: str) -> Path:
    """Return the path to which `ingest_pair` writes a developed image."""
    return stem.with_name(f"{stem.name}.{role}.png")


def ingest_pair(task: PairTask) -> dict[str, object]:
    """Develop, measure and write a pair; only its own files are written, and originals are only read.

    Returns:
        A `capture.record.Ingested` as a JSON object.

    Raises:
        UserError: The output cannot be written. Faults of the pair itself are returned, not raised.
    """
    blur, gt = (_original(task.session, file, task.how) for file in (task.blur, task.gt))
    try:
        pixels, balance = _develop_both(task)
        pixels["blur"], laid = lay_alike(pixels["blur"], pixels["gt"], blur.orientation, gt.orientation)
        _check_alike(pixels, blur, gt)
        gains = (1.0, 1.0, 1.0)
        if task.match_exposure:
            pixels["blur"], gains = match_light(pixels["blur"], pixels["gt"])
        figures = _measure(pixels["blur"], pixels["gt"])
    except UserError as error:
        fault = error.message.replace(f"{task.session}/", "")
        return INGESTED.dump_python(Ingested(blur, gt, fault=fault))
    digests: dict[Role, str] = {}
    sizes: dict[Role, int] = {}
    for role in ROLES:
        content = encode_png(pixels[role])
        write_bytes(developed_file(task.stem, role), content)
        digests[role], sizes[role] = hashlib.sha256(content).hexdigest(), len(content)
    blur_image, gt_image = (to_float(pixels[role]) for role in ROLES)
    write_pictures(task.pictures, task.name, blur_image, gt_image, _similarity(figures))
    height, width = pixels["gt"].shape[:2]
    developed = Developed(
        width,
        height,
        pixels["gt"].itemsize * 8,
        figures,
        gains,
        balance,
        hash_text(gt_image),
        digests["blur"],
        digests["gt"],
        {role: histogram(pixels[role]) for role in ROLES},
        laid_as_gt=laid,
    )
    return INGESTED.dump_python(Ingested(blur, gt, developed, bytes=sizes))


def match_light(blur: NDArray[Any], gt: NDArray[Any]) -> tuple[NDArray[Any], tuple[float, float, float]]:
    """Return the blur shot with the gt shot's light, and the gains of red, green and blue that were applied.

    The gains multiply linear light; they are the ratios of the means over pixels that are clipped in neither shot.

    Args:
        blur: (H, W, 3) uint8 or uint16 RGB.
        gt: The same shape and type.
    """
    image = to_float(blur)
    red, green, blue = light_ratios(to_float(gt), image)
    light = decode_srgb(image) * np.array([red, green, blue], np.float32)
    return to_pixels(encode_srgb(light.clip(0, 1)), blur.itemsize * 8), (red, green, blue)


def _original(session: Path, file: str, how: Development) -> Original:
    path = session / file
    try:
        digest, size = file_sha256(path), path.stat().st_size
    except (UserError, OSError):
        return Original(file)
    taken = read_taken(path)
    orientation = taken.orientation
    with contextlib.suppress(UserError):  # the reason is reported when the file is developed
        orientation = orientation_of(path, how)
    time = taken.time.isoformat() if taken.time else ""
    numbers = {name: getattr(taken, name) for name in EXIF_NUMBERS}
    read_as = "" if is_raw(path) else read_words(path)
    return Original(file, digest, size, time, **numbers, orientation=orientation, read_as=read_as)


def _develop_both(task: PairTask) -> tuple[dict[Role, NDArray[Any]], WhiteBalance | None]:
    """Return the pixels by role and the white balance that both shots were developed with.

    Raises:
        UserError: A file cannot be developed, or the two have different formats.
    """
    files: dict[Role, str] = {"blur": task.blur, "gt": task.gt}
    formats = {role: file_format(file) for role, file in files.items()}
    if formats["blur"] != formats["gt"]:
        raise UserError(f"blur is a {formats['blur']} file, gt a {formats['gt']} file, expected one format")
    balance = white_balance_of(task.session / task.gt, task.how)
    pixels = {role: develop(task.session / file, task.how, balance) for role, file in files.items()}
    return pixels, balance


def _check_alike(pixels: dict[Role, NDArray[Any]], blur: Original, gt: Original) -> None:
    """Raise UserError if sizes or bit depths differ; the message names the rotation if one is a rotated copy."""
    kinds = {role: f"{p.shape[1]}x{p.shape[0]}, {p.itemsize * 8} bits" for role, p in pixels.items()}
    if kinds["blur"] != kinds["gt"]:
        turn = find_turn(*(to_float(pixels[role]) for role in ROLES))
        tags = orientations_apart(blur.orientation, gt.orientation, "gt")
        words = f": gt is {turn} against blur" + (f"; {tags}" if tags else "") if turn else ""
        raise UserError(f"blur is {kinds['blur']}, gt is {kinds['gt']}{words}")


def _measure(blur: NDArray[Any], gt: NDArray[Any]) -> dict[str, float | str]:
    try:
        return check_pair(blur, gt)
    except ValueError as error:
        raise UserError(str(error)) from None


def _similarity(figures: Measured) -> Similarity | None:
    if figures["kind"] == "failed":
        return None
    return Similarity.of_row(figures)
