"""Development of camera files: RAW with fixed settings through LibRaw, photographs unchanged.

This is the only file that imports rawpy.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rawpy
from numpy.typing import NDArray

from capture.dng import with_neutral
from capture.dump import DUMP_SUFFIXES, Dump, WhiteBalance, develop_dump
from sdd_bench.errors import UserError
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import IMAGE_SUFFIXES
from sdd_bench.io.values_as import parse_values_as, read_pixels_as
from sdd_bench.registration.grey import averaged

VERSION = 2
"""Version of the development; pairs developed by another version are developed again."""

RAW_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".kdc", ".mef", ".mos", ".mrw",
    ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f",
)  # fmt: skip
SHOT_SUFFIXES = (*IMAGE_SUFFIXES, *RAW_SUFFIXES, ".bin")

DEMOSAICS = ("AHD", "DCB", "DHT", "AAHD", "VNG", "PPG", "LINEAR")
SRGB_GAMMA = (2.4, 12.92)
"""LibRaw's parameters of the sRGB transfer curve: power and slope of the linear part."""

ORIENTATIONS = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}
"""LibRaw's bits (1 mirrors left to right, 2 top to bottom, 4 transposes) to the value of EXIF's orientation tag."""


@dataclass(frozen=True)
class Development:
    """Settings for the development of RAW files, the same for a whole session; recorded with every pair.

    Attributes:
        bits: Bits of the developed image: 8 or 16; photographs keep their own.
        demosaic: One of `DEMOSAICS`, by LibRaw's names; dumps are demosaiced by OpenCV's edge-aware method.
        half_size: Whether each 2x2 samples give one pixel, without demosaicing, and likewise each 2x2 pixels of images
            without a mosaic, for a quick look.
        dump: Layout of headerless dumps.
        grey: Handling of grey photographs and RAW files with one channel: `refuse`, or `expand` to three equal
            channels.
        values_as: Meaning of the values of photographs, see `sdd_bench.io.values_as`; empty for the usual meaning.
    """

    bits: int = 16
    demosaic: str = "AHD"
    half_size: bool = False
    dump: Dump | None = None
    grey: str = "refuse"
    values_as: str = ""


def file_format(file: str) -> str:
    """Return the format of a shot's file, by its name.

    >>> file_format("a/IMG_1.jpg"), file_format("IMG_1.CR2")
    ('JPEG', 'CR2')
    """
    suffix = Path(file).suffix.lower().removeprefix(".")
    return {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix).upper()


def is_raw(path: Path) -> bool:
    """Return whether a file is a RAW file, by its name."""
    return path.suffix.lower() in RAW_SUFFIXES


def is_dump(path: Path, how: Development) -> bool:
    """Return whether a file is read as a headerless dump."""
    return how.dump is not None and path.suffix.lower() in DUMP_SUFFIXES


def white_balance_of(path: Path, how: Development) -> WhiteBalance | None:
    """Return the white balance for developing a pair whose gt shot is this file; None for a photograph.

    Raises:
        UserError: As in `develop`.
    """
    if is_dump(path, how):
        assert how.dump is not None
        return how.dump.white_balance
    return camera_white_balance(path) if is_raw(path) else None


def camera_white_balance(path: Path) -> WhiteBalance:
    """Return the white balance that a camera chose for a RAW file, LibRaw's daylight if it chose none.

    All factors are 1 for a sensor with one channel.

    Raises:
        UserError: As in `develop`.
    """
    with _opened(path) as raw:
        if raw.num_colors == 1:
            return 1.0, 1.0, 1.0, 1.0
        for found in (raw.camera_whitebalance, raw.daylight_whitebalance):
            red, green, blue, second = (float(value) for value in found)
            if min(red, green, blue) > 0:
                return red / green, 1.0, blue / green, (second or green) / green
    return 1.0, 1.0, 1.0, 1.0


def orientation_of(path: Path, how: Development) -> int:
    """Return the value of EXIF's orientation tag by which `develop` rotates a shot; 1 if its file has none.

    Raises:
        UserError: As in `develop`.
    """
    if is_dump(path, how):
        return 1
    if not is_raw(path):
        return read_header(path).orientation
    with _opened(path) as raw:
        return ORIENTATIONS.get(int(raw.sizes.flip), 1)


def develop(path: Path, how: Development, white_balance: WhiteBalance | None = None) -> NDArray[Any]:
    """Return a shot's pixels, (H, W, 3) uint8 or uint16 RGB, rotated by its orientation tag.

    RAW files are developed with the given white balance, the camera's white level if known (by default LibRaw takes
    each shot's brightest sample, which makes the two shots of a pair differ), no automatic brightening, the sRGB
    transfer curve and clipped highlights. Photographs are only decoded.

    Args:
        path: The file, opened for reading only.
        how: Settings of the session.
        white_balance: White balance for RAW files and dumps; None takes the file's own. Both shots of a pair get that
            of the gt shot.

    Raises:
        UserError: The file is truncated or damaged, of a camera that LibRaw does not know, a dump of another size or
            not an image; or it has one channel and is not expanded.
    """
    if how.dump is not None and is_dump(path, how):
        return develop_dump(path, how.dump, white_balance or how.dump.white_balance, how.bits, how.half_size)
    if not is_raw(path):
        pixels = read_pixels_as(path, parse_values_as(how.values_as), grey=how.grey)
        return _halved(pixels) if how.half_size else pixels
    balance = white_balance or camera_white_balance(path)
    with _opened(path) as raw:
        longest = max(raw.sizes.iheight, raw.sizes.iwidth)
        developed: NDArray[Any] = raw.postprocess(
            demosaic_algorithm=rawpy.DemosaicAlgorithm[how.demosaic],
            half_size=how.half_size,
            user_wb=list(balance),
            no_auto_bright=True,
            adjust_maximum_thr=0.0,
            output_color=rawpy.ColorSpace.sRGB,
            gamma=SRGB_GAMMA,
            output_bps=how.bits,
            highlight_mode=rawpy.HighlightMode.Clip,
        )
    if developed.shape[2] == 1:
        if how.grey != "expand":
            raise UserError(f"{path}: a RAW of one channel, expected colours (allow it with --grey expand)")
        developed = np.repeat(developed, 3, axis=2)
    unreduced = how.half_size and max(developed.shape) > 0.75 * longest  # LibRaw halves the size of mosaics only
    return _halved(developed) if unreduced else developed


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a RAW file; raise a one-line error if LibRaw cannot."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: empty file")
    changed = with_neutral(path)
    try:
        with _without_stderr(), rawpy.imread(str(path) if changed is None else io.BytesIO(changed)) as raw:
            yield raw
    except rawpy.LibRawFileUnsupportedError:
        raise UserError(f"{path}: not a RAW file that LibRaw {libraries()['libraw']} knows") from None
    except rawpy.LibRawIOError:
        raise UserError(f"{path}: the RAW file ends before its picture does") from None
    except (rawpy.LibRawError, MemoryError, ValueError) as error:
        words = error.args[0] if error.args else type(error).__name__
        reason = words.decode(errors="replace") if isinstance(words, bytes) else str(words)
        raise UserError(f"{path}: a damaged RAW file ({reason})") from None


def libraries() -> dict[str, str]:
    """Return the versions of the libraries on which developed RAW files depend."""
    return {"rawpy": rawpy.__version__, "libraw": ".".join(str(part) for part in rawpy.libraw_version)}


@contextlib.contextmanager
def _without_stderr() -> Iterator[None]:
    """Suppress LibRaw's own messages about a damaged file; the error that is raised reports it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Return the mean of each 2x2 pixels, rounded; an odd last row or column is left out."""
    return averaged(pixels, 2) if min(pixels.shape[:2]) > 1 else pixels
