"""Reading and writing PNG against OpenCV.

python benchmarks/bench_png.py [--size 4096x2160] [--repeats 5]
"""

from __future__ import annotations

import argparse
import tempfile
import zlib
from pathlib import Path

import cv2
import imagecodecs
import machine
import numpy as np
from frames import mosaic, parse_size
from numpy.typing import NDArray
from rows import Row, markdown

from sdd_bench.io.images import Pixels, encode_png, read_pixels

WRITING = "Writing PNG: zlib's Huffman coding of the samples as they are, unfiltered and without searching for repeats."
READING = "Reading PNG: the file's bytes read and its data decompressed by zlib, filters not undone."


def sixteen_bits(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return a frame as 16-bit samples with a random lower byte, like that of a noisy sensor."""
    return pixels.astype(np.uint16) * 256 + np.random.default_rng(0).integers(0, 256, pixels.shape, np.uint16)


def compressed(content: bytes) -> bytes:
    """Return the compressed data of a PNG file, the contents of its IDAT chunks."""
    place, parts = 8, []
    while place < len(content):
        length = int.from_bytes(content[place : place + 4], "big")
        if content[place + 4 : place + 8] == b"IDAT":
            parts.append(content[place + 8 : place + 8 + length])
        place += 12 + length
    return b"".join(parts)


def huffman(pixels: Pixels) -> bytes:
    strategy, none = imagecodecs.PNG.STRATEGY.HUFFMAN_ONLY, imagecodecs.PNG.FILTER.NONE
    return bytes(imagecodecs.png_encode(pixels, level=1, strategy=strategy, filter=none))


def rows(width: int = 4096, height: int = 2160, repeats: int = 5) -> list[Row]:
    """Return the times of writing and reading, for 8 and 16 bits."""
    found = []
    frame = mosaic(width, height, 0)
    with tempfile.TemporaryDirectory() as folder:
        for bits, pixels in ((8, frame), (16, sixteen_bits(frame))):
            flipped = np.ascontiguousarray(pixels[..., ::-1])  # OpenCV's order, made outside the measured time
            seconds = machine.alternating(
                {
                    "ours": lambda p=pixels: encode_png(p),
                    "peer": lambda p=flipped: cv2.imencode(".png", p),
                    "floor": lambda p=pixels: huffman(p),
                },
                repeats,
            )
            content, theirs = encode_png(pixels), cv2.imencode(".png", flipped)[1]
            file = Path(folder) / f"{bits}.png"
            file.write_bytes(content)
            size = f"same pixels, {len(content) / len(theirs):.0%} of its bytes"
            what = f"PNG, {width}x{height}, {bits} bits"
            times = (seconds["ours"], "OpenCV, its default", seconds["peer"])
            found.append(Row(f"{what}: write", *times, size, seconds["floor"], WRITING))
            seconds = machine.alternating(
                {
                    "ours": lambda f=file: read_pixels(f),
                    "peer": lambda f=file: cv2.imread(str(f), cv2.IMREAD_UNCHANGED),
                    "floor": lambda f=file: zlib.decompress(compressed(f.read_bytes())),
                },
                repeats,
            )
            same = np.array_equal(read_pixels(file), cv2.imread(str(file), cv2.IMREAD_UNCHANGED)[..., ::-1])
            times = (seconds["ours"], "OpenCV", seconds["peer"])
            agreement = "same pixels" if same else "OTHER PIXELS"
            found.append(Row(f"{what}: read", *times, agreement, seconds["floor"], READING))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine.describe("opencv-python", "imagecodecs"))
    print("\n".join(markdown(rows(*arguments.size, arguments.repeats))))


if __name__ == "__main__":
    main()
