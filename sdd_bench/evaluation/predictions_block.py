"""Facts about the prediction files in results: their bits, the scored size, and how they were read."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from pydantic import ConfigDict
from typing_extensions import TypedDict

from sdd_bench.evaluation.naming.cut import cut_of
from sdd_bench.evaluation.naming.ways import Ways
from sdd_bench.evaluation.protocol import Protocol
from sdd_bench.evaluation.rows import Line
from sdd_bench.io.headers import read_header
from sdd_bench.io.image_header import ImageHeader
from sdd_bench.io.reading_notes import reading_notes


class PredictionsBlock(TypedDict, total=False):
    """Facts about the prediction files.

    `predictions_bits` are the bits per sample, such as `8`, `8 and 16` or `32 (floating point)`; `evaluated_size` is
    the WIDTHxHEIGHT that was scored, or the smallest and the largest; `notes` are the conversions made while reading,
    each with its number of files.
    """

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    predictions_bits: Line
    evaluated_size: Line
    notes: list[Line]


def predictions_block(
    files: Mapping[str, Path], frames: Mapping[str, Path], protocol: Protocol, ways: Ways, score_bits: int
) -> PredictionsBlock:
    """Return the facts about prediction files for results.

    Args:
        files: Prediction by pair name.
        frames: Blur image by pair name.
        protocol: Protocol whose crop counts.
        ways: Options with which the predictions were read.
        score_bits: Bits to which files with more bits were rounded, 8 or 16.

    Raises:
        UserError: A file cannot be read any more.
    """
    headers = [read_header(path) for path in files.values()]
    sizes = set()
    for name, header in zip(files, headers, strict=True):
        size = header.width, header.height
        if ways.pred_crop:
            frame = read_header(frames[name])
            cut = cut_of(size, (frame.width, frame.height), ways.pred_crop)
            size = cut.width, cut.height
        sizes.add(protocol.cropped(*size))
    return {
        "predictions_bits": bits_in_words(headers),
        "evaluated_size": _sizes_in_words(sizes),
        "notes": _notes(headers, ways, score_bits),
    }


def bits_in_words(headers: Iterable[ImageHeader]) -> str:
    """Return the bits per sample of files, in increasing order.

    >>> from sdd_bench.io.image_header import ImageHeader
    >>> plain, wide = ImageHeader(4, 3, 8, 3, "PNG"), ImageHeader(4, 3, 16, 3, "TIFF", stored_bits=32, floating=True)
    >>> bits_in_words([wide, plain])
    '8 and 32 (floating point)'
    """
    found = {(header.stored_bits or header.bits, header.floating) for header in headers}
    return " and ".join(f"{bits} (floating point)" if floating else str(bits) for bits, floating in sorted(found))


def _sizes_in_words(sizes: Collection[tuple[int, int]]) -> str:
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    ends = dict.fromkeys(f"{width}x{height}" for width, height in ordered[:1] + ordered[-1:])
    return " to ".join(ends)


def _notes(headers: Sequence[ImageHeader], ways: Ways, score_bits: int) -> list[str]:
    """Return the conversions of values and pixels by reading and rounding, with their number of files."""
    values = ways.values
    counts = {
        "turned upright by the orientation tag": sum(header.orientation != 1 for header in headers),
        "grey repeated three times": sum(header.channels <= 2 for header in headers),
        f"read as {values.text}": 0 if values.as_usual else len(headers),
        "more than 8 bits rounded to 8 for the scores": sum(header.bits > score_bits for header in headers),
    }
    done = [f"{count} {'file' if count == 1 else 'files'}: {words}" for words, count in counts.items() if count]
    return [*reading_notes(headers), *done]
