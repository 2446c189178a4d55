"""Notes on conversions made while reading, for the records of datasets and results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sdd_bench.io.headers import headers_or_faults
from sdd_bench.io.image_header import ImageHeader


def reading_notes(headers: Iterable[ImageHeader | str]) -> list[str]:
    """Return the conversions made while reading files, with the number of files; empty for plain 8- and 16-bit sRGB.

    Args:
        headers: Headers of the files; faults, given as text, are ignored because they are reported elsewhere.

    >>> from sdd_bench.io.image_header import ImageHeader
    >>> reading_notes([ImageHeader(4, 3, 16, 3, "TIFF", stored_bits=32, floating=True), ImageHeader(4, 3, 8, 3, "PNG")])
    ['1 file: 32-bit floating point rounded to 16 bits as it is read']
    """
    counts = Counter(words for header in headers if isinstance(header, ImageHeader) for words in header.conversions())
    return [
        f"{count} {'file' if count == 1 else 'files'}: {words} as {'it is' if count == 1 else 'they are'} read"
        for words, count in sorted(counts.items())
    ]


def notes_of_files(paths: Iterable[Path]) -> list[str]:
    """Return the `reading_notes` of files; a path given twice counts once."""
    return reading_notes(headers_or_faults(paths).values())


def read_words(path: Path) -> str:
    """Return the conversions made while reading a file, in words; empty if there are none or it cannot be read."""
    (header,) = headers_or_faults([path]).values()
    return "" if isinstance(header, str) else "; ".join(header.conversions())
