"""Pairs a second of `ingest` at 4096x2160, from 16-bit PNG and from 12-bit DNG, and where the time goes.

    python benchmarks/bench_ingest.py [--size 4096x2160] [--pairs 2]

The peer for decoding and writing is OpenCV, on the same files in the same run; for development it is LibRaw alone.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import machine
import numpy as np
import rawpy
import tifffile
from frames import misaligned_pair, parse_size
from numpy.typing import NDArray
from rows import Row

from capture.checks import check_pair
from capture.develop import Development, develop, white_balance_of
from capture.exif import read_taken
from capture.ingest import Settings, ingest
from capture.session import read_session
from sdd_bench.datasets.similar import hash_bits
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import encode_png, to_float
from sdd_bench.io.srgb import decode_srgb

T = TypeVar("T")
WHITE = 4095
IDENTITY_LIKE = ((32404542, -15371385, -4985314), (-9692660, 18760108, 415560), (556434, -2040259, 10572252))
"""Matrix from XYZ to linear sRGB, in ten-millionths: the colour matrix of a camera whose colours are sRGB."""


def write_dng(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a photograph as 12-bit Bayer samples (RGGB), as a sensor would give them."""
    light = decode_srgb(to_float(pixels)) * WHITE
    samples = np.empty(pixels.shape[:2], np.uint16)
    for row, column, channel in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        samples[row::2, column::2] = np.rint(light[row::2, column::2, channel])
    matrix = [part for line in IDENTITY_LIKE for value in line for part in (value, 10_000_000)]
    tags = [
        (33421, "H", 2, (2, 2), True),
        (33422, "B", 4, bytes((0, 1, 1, 2)), True),
        (50706, "B", 4, b"\x01\x04\x00\x00", True),
        (50708, "s", 0, "benchmark", True),
        (50714, "H", 1, 0, True),
        (50717, "H", 1, WHITE, True),
        (50721, "2i", 9, matrix, True),
        (50728, "2I", 3, (1, 1, 1, 1, 1, 1), True),
        (50778, "H", 1, 21, True),
    ]
    tifffile.imwrite(path, samples, photometric=32803, extratags=tags, metadata=None)


def write_session(folder: Path, kind: str, pairs: int, size: tuple[int, int]) -> None:
    """Write a session of pairs as 16-bit PNG or 12-bit DNG."""
    folder.mkdir(parents=True)
    lines = ["file,scene,role"]
    for index in range(pairs):
        for role, pixels in zip(("blur", "gt"), misaligned_pair(*size, index), strict=True):
            file = folder / f"{index:03d}-{role}.{kind}"
            if kind == "dng":
                write_dng(file, pixels)
            else:
                noise = np.random.default_rng(index).integers(0, 257, pixels.shape, np.uint16)
                file.write_bytes(encode_png(pixels.astype(np.uint16) * 255 + noise))
            lines.append(f"{file.name},{index:03d},{role}")
    (folder / "session.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def timed(function: Callable[..., T], *arguments: object) -> tuple[float, T]:
    started = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - started, result


FLOOR = "Ingesting a pair: both shots decoded or developed by LibRaw, both written as 16-bit PNG, both files hashed."


def rows(width: int = 4096, height: int = 2160, repeats: int = 1) -> list[Row]:
    """Return the seconds per pair, from PNG and DNG."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for kind, words in (("png", "16-bit PNG"), ("dng", "12-bit DNG")):
            source, fresh = Path(folder) / kind, itertools.count()
            write_session(source, kind, 1, (width, height))
            session = {"bench": read_session(source)}
            files = [source / f"000-{role}.{kind}" for role in ("blur", "gt")]
            balance = white_balance_of(files[1], Development())
            shots = [develop(file, Development(), balance) for file in files]
            seconds = machine.alternating(
                {
                    "ours": lambda s=session, at=source, f=fresh: ingest(s, at.with_name(f"out-{at.name}-{next(f)}"),
                                                                         Settings(), 1),
                    "floor": lambda p=shots, f=files: ingest_floor(f, p),
                    "checks": lambda p=shots: check_pair(*p),
                },
                repeats,
            )  # fmt: skip
            what = f"Ingest of a pair, {words}, {width}x{height}"
            share = f"{seconds['checks'] / seconds['ours']:.0%} is analysis and checks"
            found.append(Row(what, seconds["ours"], "", None, share, seconds["floor"], FLOOR))
    return found


def ingest_floor(files: list[Path], shots: list[NDArray[np.uint16]]) -> None:
    for file, pixels in zip(files, shots, strict=True):
        file_sha256(file)
        peer_decode(file)
        encode_png(pixels)


def shares(folder: Path, kind: str) -> None:
    """Print the times of the parts of one pair's work on one thread, and of decoding and writing by the peer."""
    how = Development()
    files = [folder / f"000-{role}.{kind}" for role in ("blur", "gt")]
    parts = {"sha256 and EXIF": sum(timed(file_sha256, f)[0] + timed(read_taken, f)[0] for f in files)}
    seconds, balance = timed(white_balance_of, files[1], how)
    decoded = [timed(develop, file, how, balance) for file in files]
    parts["decoding"] = seconds + sum(seconds for seconds, _ in decoded)
    images = [pixels for _, pixels in decoded]
    parts["analysis and checks"], _ = timed(check_pair, *images)
    parts["hash"], _ = timed(hash_bits, to_float(images[1]))
    parts["writing PNG"] = sum(timed(encode_png, pixels)[0] for pixels in images)
    total = sum(parts.values())
    print(f"  one pair, one thread, {total:.2f} s:")
    for part, seconds in parts.items():
        print(f"    {part:20} {seconds:6.2f} s  {100 * seconds / total:5.1f} %")
    theirs = sum(timed(peer_decode, file)[0] for file in files)
    print(f"    decoding by {'LibRaw alone' if kind == 'dng' else 'OpenCV'}: {theirs:.2f} s, ratio "
          f"{parts['decoding'] / theirs:.2f}")  # fmt: skip
    theirs = sum(timed(lambda p=p: cv2.imencode(".png", p, [cv2.IMWRITE_PNG_COMPRESSION, 3]))[0] for p in images)
    print(f"    writing by OpenCV, level 3: {theirs:.2f} s, ratio {parts['writing PNG'] / theirs:.2f}")


def peer_decode(file: Path) -> object:
    if file.suffix == ".png":
        return cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    with rawpy.imread(str(file)) as raw:
        return raw.postprocess(output_bps=16, use_camera_wb=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--pairs", type=int, default=2)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine.describe("numpy", "opencv-python", "imagecodecs", "rawpy"))
    width, height = arguments.size
    with tempfile.TemporaryDirectory() as root:
        for kind, words in (("png", "16-bit PNG"), ("dng", "12-bit DNG")):
            folder = Path(root) / kind
            write_session(folder, kind, arguments.pairs, arguments.size)
            print(f"\n{arguments.pairs} pairs of {width}x{height}, {words}")
            session = {"bench": read_session(folder)}
            for jobs in (1, 2):
                out = Path(root) / f"{kind}-{jobs}"
                seconds, outcome = timed(ingest, session, out, Settings(), jobs)
                print(
                    f"  ingest --jobs {jobs}: {arguments.pairs / seconds:.3f} pairs/s, {seconds / arguments.pairs:.1f} "
                    f"s a pair; {dict(outcome.counts())}"
                )
                if jobs == 1:
                    print(f"    peak memory so far {machine.peak_gb():.2f} GB")
                again, _ = timed(ingest, session, out, Settings(), jobs)
                print(f"    given again: {again:.2f} s")
            shares(folder, kind)


if __name__ == "__main__":
    main()
