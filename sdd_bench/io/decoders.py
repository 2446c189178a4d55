"""Decoders of image files, one per format, which return the stored samples."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL.JpegImagePlugin import JpegImageFile

from sdd_bench.errors import UserError, silent
from sdd_bench.io.files import open_file, read_bytes
from sdd_bench.io.headers import check_expansion
from sdd_bench.io.heif import decode_avif, decode_heic
from sdd_bench.io.jpeg_scans import check_scans


def _decode_png(path: Path, most: int) -> NDArray[Any]:
    return np.asarray(imagecodecs.png_decode(read_bytes(path, most)))


def _decode_tiff(path: Path, most: int) -> NDArray[Any]:
    with open_file(path, most) as file, silent("tifffile"), tifffile.TiffFile(file) as tiff:
        page, stored_bytes = tiff.pages.first, os.fstat(file.fileno()).st_size
        if stored_bytes > most:  # data after the picture, skipped here but copied with the file
            raise UserError(f"{path}: larger than the {most / 1e6:,.0f} MB limit for such a file")
        check_expansion(str(path), page.nbytes, stored_bytes)
        samples = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
    return np.asarray(samples)


def _decode_jpeg(path: Path, most: int) -> NDArray[Any]:
    data = read_bytes(path, most)
    check_scans(path, data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # damaged EXIF is ignored
        return np.asarray(JpegImageFile(BytesIO(data)))


def _decode_heic(path: Path, most: int) -> NDArray[Any]:
    return decode_heic(path, read_bytes(path, most))


def _decode_avif(path: Path, most: int) -> NDArray[Any]:
    return decode_avif(path, read_bytes(path, most))


DECODERS: dict[str, Callable[[Path, int], NDArray[Any]]] = {
    "PNG": _decode_png,
    "TIFF": _decode_tiff,
    "JPEG": _decode_jpeg,
    "HEIC": _decode_heic,
    "AVIF": _decode_avif,
}
"""Functions by format that decode a file of at most a number of bytes; errors are those of each library."""
