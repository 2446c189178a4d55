"""Notes on conversions made while reading, for the records of datasets and results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from sdd_bench.io.headers import headers_or_faults
from sdd_bench.io.image_header import ImageHeader


def reading_notes(headers: Iterable[ImageHeader | str]) -> list[str]:
    """Return what is converted as files are read, and of how many files; nothing for plain 8- and 16-bit sRGB.

    Args:
        headers: Headers of the files, or what is wrong with them, which is said elsewhere.

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
    """Return `reading_notes` of files by their paths, each once."""
    return reading_notes(headers_or_faults(paths).values())


def read_words(path: Path) -> str:
    """Return what is converted as a file is read, in words; nothing where nothing is, or where it cannot be read."""
    (header,) = headers_or_faults([path]).values()
    return "" if isinstance(header, str) else "; ".join(header.conversions())
