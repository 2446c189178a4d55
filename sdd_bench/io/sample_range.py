"""Detection of the value range of samples: fewer bits in 16-bit files, shifted bits, only 0 and 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

FEWER_BITS = (8, 10, 12, 14)
"""Bits that cameras, screens and programs have besides 16."""

SURE_IMAGES = 5
"""Number of files without a sample above a sixteenth of white that cannot all be dark photographs."""

FULL = 0.999
"""Share of the largest value of fewer bits that has to be reached where the picture might just be dark."""


@dataclass(frozen=True)
class Samples:
    """Statistics of the samples of one file.

    Attributes:
        bits: 8 or 16, of the file.
        largest: The largest sample.
        used_bits: All samples by a bitwise or: bits that are 0 in it are set in no sample.
    """

    bits: int
    largest: int
    used_bits: int

    @property
    def white_share(self) -> float:
        """The largest sample as a share of white."""
        return self.largest / (2**self.bits - 1)


@dataclass(frozen=True)
class RangeFound:
    """Value range of samples that do not use the whole range.

    Attributes:
        words: Finding in words.
        option: Value of `--values-as` that reads them as they are meant; empty where none can.
        certain: Whether nothing else explains it; a dark photograph has small values, too.
        harmless: Whether it changes scores by little: white is a little under 1.
    """

    words: str
    option: str = ""
    certain: bool = True
    harmless: bool = False


def find_range(samples: Iterable[Samples]) -> RangeFound | None:
    """Return what the samples of files of one kind are; None where they are values over the whole range.

    A dark photograph lies among brighter ones, and does not reach the largest value of fewer bits.

    Args:
        samples: Samples of all files that were written alike, such as the predictions of a method.

    >>> found = find_range([Samples(16, 4095, 4095), Samples(16, 3011, 4095)])
    >>> found.words, found.option, found.certain
    ('12-bit values in 16-bit files: the largest sample is 4095, white is 65535', '12bit', True)
    >>> find_range([Samples(16, 4095, 4095), Samples(16, 65535, 65535)])
    """
    known = list(samples)
    wide = [of for of in known if of.bits == 16 and of.largest > 0]
    if not wide:
        return _of_bytes([of for of in known if of.bits == 8])
    largest = max(of.largest for of in wide)
    for bits in FEWER_BITS:
        if largest < 2**bits:
            words = f"{bits}-bit values in 16-bit files: the largest sample is {largest}, white is 65535"
            return RangeFound(words, f"{bits}bit", _is_certain(bits, largest, len(wide)))
    used = 0
    for of in wide:
        used |= of.used_bits
    for bits in FEWER_BITS:
        if used % 2 ** (16 - bits) == 0:
            white = (2**bits - 1) << (16 - bits)
            words = f"{bits}-bit values moved to the left in 16-bit files: white is {white}, expected 65535"
            return RangeFound(words, f"{bits}bit-high", harmless=True)
    return None


def _is_certain(bits: int, largest: int, files: int) -> bool:
    """Return whether values this small are no darkness."""
    if bits <= 10 or largest >= FULL * (2**bits - 1):
        return True
    return bits == 12 and files >= SURE_IMAGES


def _of_bytes(known: list[Samples]) -> RangeFound | None:
    """Return what is to be said of files of 8 bits."""
    if not known or max(of.largest for of in known) != 1:
        return None
    return RangeFound("0 and 1 alone: values in [0, 1] were written as bytes without times 255")
